"""The Draw tab: the pad on the left, the answer on the right."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from mnist_mlp.classify import Classifier
from mnist_mlp.preprocess import Drawing, DrawingError
from mnist_mlp.ui.answer import Answer, as_json
from mnist_mlp.ui.pad import Pad, checked


@dataclass(frozen=True)
class DrawTab:
    pad: Pad
    answer: Answer


def build_draw_tab(classifier: Classifier) -> DrawTab:
    def answer_of(drawing: Drawing, revision: int) -> dict[str, Any]:
        return as_json(classifier.read_drawing(drawing), revision)

    async def read(value: Any) -> dict[str, Any]:
        """Answer a pad that is being drawn on; a bad drawing comes back as one sentence."""
        try:
            drawing, revision = checked(value)
        except DrawingError as error:
            return {"revision": 0, "error": str(error)}
        return answer_of(drawing, revision)

    def read_drawing(value: tuple[Drawing, int]) -> dict[str, Any]:
        """Read a drawing: the likeliest digits first, and the stages to the network's input."""
        return answer_of(*value)

    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            pad = Pad(read, elem_id="digit-pad")
        with gr.Column(scale=3, min_width=320):
            answer = Answer(elem_id="answer")

    pad.input(
        read_drawing,
        inputs=pad,
        outputs=answer,
        api_name="read_drawing",
        queue=False,
        trigger_mode="always_last",
        show_progress="hidden",
    )
    return DrawTab(pad, answer)
