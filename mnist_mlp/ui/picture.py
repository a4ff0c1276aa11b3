"""The picture input: a file, a drop, a paste or the camera, read as the command line reads it.

The browser posts the picture itself, so that nothing of it is uploaded, cached or kept.
"""

import base64
import binascii
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import gradio as gr
from gradio.data_classes import GradioModel
from pydantic import WithJsonSchema, model_validator

from mnist_mlp.classify import Classifier
from mnist_mlp.pictures import (
    FILE_TOO_LARGE,
    MAX_FILE_BYTES,
    PictureError,
    open_picture,
    outlined,
)
from mnist_mlp.preprocess import PICTURE_CAPTIONS
from mnist_mlp.ui.answer import as_json
from mnist_mlp.ui.assets import component_files

# As base64 it is a third more, and has to stay below what body_limit.py lets through.
MAX_POSTED_BYTES = 1_400_000
SHOWN_SIDE = 480


class PictureValue(GradioModel):
    """A picture file as base64; what is posted is checked by `checked`, not by these types."""

    picture: Annotated[Any, WithJsonSchema({"type": "string"})] = ""
    # As in PadValue.
    session: Annotated[Any, WithJsonSchema({"type": "string"})] = ""
    network: Annotated[Any, WithJsonSchema({"type": "string"})] = ""

    @model_validator(mode="before")
    @classmethod
    def _take_anything(cls, value: Any) -> dict:
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class PostedPicture:
    """A file's bytes, and who posted them."""

    content: bytes
    session: Any


def checked(value: Any) -> PostedPicture:
    """Take over what was posted; raises PictureError with one sentence."""
    picture = value.get("picture") if isinstance(value, dict) else None
    if not isinstance(picture, str):
        raise PictureError('A picture is posted as {"picture": its file in base64}.')
    try:
        content = base64.b64decode(picture, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError("The picture is not in base64.") from error
    return PostedPicture(content, value.get("session"))


class Picture(gr.HTML):
    """Takes a picture and shows it with its ink outlined.

    The value from Python is `{"session": key, "network": name}`; a new network's name makes it ask
    anew. `read` is called with `{"session": key, "picture": base64}`; what it returns is shown and
    passed on as the document's event "reading". It decodes pictures, and so is no coroutine.
    """

    data_model = PictureValue

    def __init__(self, read: Callable[[Any], dict], **options: Any):
        super().__init__(
            value=PictureValue().model_dump(),
            server_functions=[read],
            limits={"file": MAX_FILE_BYTES, "posted": MAX_POSTED_BYTES},
            too_large=FILE_TOO_LARGE,
            apply_default_css=False,
            **component_files("picture"),
            **options,
        )

    def preprocess(self, payload: PictureValue) -> PostedPicture:
        """Raises gr.Error with one sentence for what is no picture in base64."""
        try:
            return checked(payload.model_dump())
        except PictureError as error:
            raise gr.Error(str(error)) from error

    def postprocess(self, value: dict | None) -> PictureValue | None:
        return None if value is None else PictureValue(**value)

    def api_info(self) -> dict[str, Any]:
        return PictureValue.model_json_schema()

    def example_payload(self) -> Any:
        return {"picture": "iVBORw0KGgo="}

    def example_value(self) -> Any:
        return self.example_payload()


def read_file(content: bytes, classifier: Classifier) -> dict[str, Any]:
    """A picture's reading as the answer gets it, and the picture itself with its ink outlined.

    Raises PictureError.
    """
    picture = open_picture(io.BytesIO(content))
    reading = classifier.read_picture(picture)
    if reading.stages is None:
        raise PictureError("No ink was found in this picture.")
    shown = io.BytesIO()
    outlined(picture, reading.stages.white_on_black, SHOWN_SIDE).save(shown, "JPEG", quality=85)
    return as_json(reading, revision=0) | {
        "captions": PICTURE_CAPTIONS,
        "outlined": base64.b64encode(shown.getvalue()).decode(),
    }
