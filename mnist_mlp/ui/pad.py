"""The drawing pad: strokes in, answers while the pen is still moving."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import gradio as gr
from gradio.data_classes import GradioModel
from pydantic import WithJsonSchema, model_validator

from mnist_mlp.preprocess import DEFAULT_BRUSH, Drawing, DrawingError
from mnist_mlp.ui.assets import component_files

_NUMBERS = {"type": "array", "items": {"type": "number"}}
_STROKES = {"type": "array", "items": {"type": "array", "items": _NUMBERS}}


class PadValue(GradioModel):
    """What the pad holds, in pad units: 256 x 256, y down.

    The types are for the API's description. What is posted is checked by `checked`, whose
    sentences are meant for people.
    """

    # Strokes, each a list of x and a list of y.
    drawing: Annotated[Any, WithJsonSchema(_STROKES)] = None
    brush: Annotated[Any, WithJsonSchema({"type": "number"})] = DEFAULT_BRUSH
    # Counts the changes, so that an old answer never replaces a newer one.
    revision: Annotated[Any, WithJsonSchema({"type": "integer"})] = 0
    # Whose network is to read it; without one the shipped network does.
    session: Annotated[Any, WithJsonSchema({"type": "string"})] = ""
    # The name of that network: when Python changes it, the pad asks for a new answer.
    network: Annotated[Any, WithJsonSchema({"type": "string"})] = ""

    @model_validator(mode="before")
    @classmethod
    def _take_anything(cls, value: Any) -> dict:
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Question:
    """A pad's value once it is checked."""

    drawing: Drawing
    revision: int
    session: Any


def checked(value: Any) -> Question:
    """Take over what was posted; raises DrawingError with one sentence."""
    if not isinstance(value, dict) or type(value.get("revision")) is not int:
        raise DrawingError("A pad posts its drawing, its brush and its revision, an integer.")
    drawing = Drawing.from_lists(value.get("drawing"), value.get("brush", DEFAULT_BRUSH))
    return Question(drawing, value["revision"], value.get("session"))


class Pad(gr.HTML):
    """A square to draw on.

    `read` is called while the pen moves, at most every 50 ms and always for the last state, with
    the pad's value as a dict; what it returns is passed on as the document's event "reading".
    When a stroke ends, `input` hands the drawing to Python.
    """

    data_model = PadValue

    def __init__(self, read: Callable[[dict], Awaitable[dict]], **options: Any):
        super().__init__(
            value=PadValue(drawing=[]).model_dump(),
            server_functions=[read],
            apply_default_css=False,
            **component_files("pad"),
            **options,
        )

    def preprocess(self, payload: PadValue) -> Question:
        """Raises gr.Error with one sentence for a bad drawing."""
        try:
            return checked(payload.model_dump())
        except DrawingError as error:
            raise gr.Error(str(error)) from error

    def postprocess(self, value: dict | None) -> PadValue | None:
        return None if value is None else PadValue(**value)

    def api_info(self) -> dict[str, Any]:
        return PadValue.model_json_schema()

    def example_payload(self) -> Any:
        return {"drawing": [[[120, 128], [60, 200]]], "brush": DEFAULT_BRUSH, "revision": 0}

    def example_value(self) -> Any:
        return self.example_payload()
