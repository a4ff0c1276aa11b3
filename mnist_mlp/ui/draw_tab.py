"""The Draw tab: the pad and the picture input on the left, the answer on the right."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from mnist_mlp.pictures import PictureError
from mnist_mlp.preprocess import DrawingError
from mnist_mlp.ui.answer import Answer, as_json
from mnist_mlp.ui.pad import Pad, Question, checked
from mnist_mlp.ui.picture import Picture, PostedPicture, read_file
from mnist_mlp.ui.picture import checked as checked_picture
from mnist_mlp.ui.sessions import Sessions

SHIPPED = "shipped"
# A picture of 50 megapixels is 150 MB while it is decoded, so visitors' pictures wait in line.
_decoding = threading.Lock()


@dataclass(frozen=True)
class DrawTab:
    pad: Pad
    picture: Picture
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
        with gr.Column(scale=2, min_width=300, elem_id="drawing"):
            pad = Pad(read, elem_id="digit-pad")
            picture, read_picture = _picture_input(sessions)
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
    # The page has its answer from the server function; this is for the API.
    picture.input(
        read_picture,
        inputs=picture,
        outputs=answer,
        api_name="read_picture",
        queue=False,
        show_progress="hidden",
    )
    return DrawTab(pad, picture, answer, network)


def _picture_input(
    sessions: Sessions,
) -> tuple[Picture, Callable[[PostedPicture], dict[str, Any]]]:
    """The component, and what reads a picture that was posted to the API."""

    def answer_to(posted: PostedPicture) -> dict[str, Any]:
        with _decoding:
            return read_file(posted.content, sessions.classifier(posted.session))

    def read(value: Any) -> dict[str, Any]:
        """Answer the page; a bad picture comes back as one sentence."""
        try:
            return answer_to(checked_picture(value))
        except PictureError as error:
            return {"error": str(error)}

    def read_picture(posted: PostedPicture) -> dict[str, Any]:
        """Read a picture file in base64, of one digit or a number, as a drawing is read."""
        try:
            return answer_to(posted)
        except PictureError as error:
            raise gr.Error(str(error)) from error

    return Picture(read, elem_id="picture"), read_picture
