"""The Draw tab: the pad on the left, the answer on the right."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from mnist_mlp.preprocess import DrawingError
from mnist_mlp.ui.answer import Answer, as_json
from mnist_mlp.ui.pad import Pad, Question, checked
from mnist_mlp.ui.sessions import Sessions

SHIPPED = "shipped"


@dataclass(frozen=True)
class DrawTab:
    pad: Pad
    answer: Answer
    network: gr.Radio  # SHIPPED, or the number of a run as text


def build_draw_tab(sessions: Sessions) -> DrawTab:
    def read_drawing(question: Question) -> dict[str, Any]:
        """Read a drawing: the likeliest digits first, and the stages to the network's input."""
        classifier = sessions.classifier(question.session)
        return as_json(classifier.read_drawing(question.drawing), question.revision)

    async def read(value: Any) -> dict[str, Any]:
        """Answer a pad that is being drawn on; a bad drawing comes back as one sentence."""
        try:
            return read_drawing(checked(value))
        except DrawingError as error:
            return {"revision": 0, "error": str(error)}

    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            pad = Pad(read, elem_id="digit-pad")
        with gr.Column(scale=3, min_width=320):
            answer = Answer(elem_id="answer")
            network = gr.Radio(
                [("The shipped network", SHIPPED)],
                value=SHIPPED,
                label="Read by",
                elem_id="network",
            )

    pad.input(
        read_drawing,
        inputs=pad,
        outputs=answer,
        api_name="read_drawing",
        queue=False,
        trigger_mode="always_last",
        show_progress="hidden",
    )
    return DrawTab(pad, answer, network)
