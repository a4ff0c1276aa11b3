"""The Test set tab: browse the images that no training saw, and what a network makes of them."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from mnist_mlp.model import CLASSES
from mnist_mlp.ui.draw_tab import SHIPPED
from mnist_mlp.ui.gallery import (
    Gallery,
    GalleryError,
    checked_index,
    checked_query,
    image_as_json,
    page_as_json,
)
from mnist_mlp.ui.sessions import Sessions


@dataclass(frozen=True)
class TestTab:
    __test__ = False  # pytest would take it for a test

    network: gr.Radio  # as the Draw tab's
    gallery: Gallery


def build_test_tab(sessions: Sessions) -> TestTab:
    def browse(asked: Any) -> dict[str, Any]:
        """Answer a page of the gallery; a bad question comes back as one sentence."""
        asked = asked if isinstance(asked, dict) else {}
        session = asked.get("session")
        evaluation = sessions.evaluation(session)
        if evaluation is None:
            return {"state": "loading"}
        try:
            query = checked_query(asked.get("query"))
        except GalleryError as error:
            return {"error": str(error)}
        run = sessions.run_in_use(session)
        network = f"Your run {run.number}" if run else "The shipped network"
        images = len(evaluation.labels)
        return page_as_json(evaluation, sessions.line.data.test, query) | {
            "state": "ready",
            "facts": f"{network} reads {images - evaluation.errors:,} of the {images:,} test "
            f"images right: {evaluation.accuracy:.2%}. It saw none of them in training.",
            "data": sessions.line.data.notice,
        }

    def look(asked: Any) -> dict[str, Any]:
        """Answer a click on one image; a bad question comes back as one sentence."""
        asked = asked if isinstance(asked, dict) else {}
        data = sessions.line.data
        if data is None:
            return {"state": "loading"}
        try:
            index = checked_index(asked.get("index"), data.test)
        except GalleryError as error:
            return {"error": str(error)}
        classifier = sessions.classifier(asked.get("session"))
        reading = classifier.read_mnist(data.test.images[index].numpy(), top=CLASSES)
        return image_as_json(reading, data.test, index)

    network = gr.Radio(
        [("The shipped network", SHIPPED)], value=SHIPPED, label="Read by", elem_id="test-network"
    )
    gallery = Gallery(browse, look, elem_id="test-gallery")
    return TestTab(network, gallery)
