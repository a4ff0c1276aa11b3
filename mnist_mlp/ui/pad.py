"""The drawing pad: strokes in, answers while the pen is still moving."""

from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr
from gradio.data_classes import GradioModel
from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator

from mnist_mlp.preprocess import DEFAULT_BRUSH, Drawing, DrawingError
from mnist_mlp.ui.assets import component_files


class PadValue(GradioModel):
    """What the pad holds, in pad units: 256 x 256, y down."""

    drawing: list[list[list[float]]]  # strokes, each a list of x and a list of y
    brush: float = DEFAULT_BRUSH
    revision: int = 0  # counts the changes, so that an old answer never replaces a newer one

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_sentence(cls, value: Any, handler: ModelWrapValidatorHandler) -> "PadValue":
        try:
            return handler(value)
        except ValidationError as error:
            raise gr.Error(
                "A drawing is a list of strokes, each a list of x and a list of y, all numbers."
            ) from error


class Pad(gr.HTML):
    """A square to draw on.

    `read` is called while the pen moves, at most every 50 ms and always for the last state, with
    the pad's value as a dict; what it returns is passed on as the document's event "reading".
    When a stroke ends, `input` hands the drawing to Python.
    """

    data_model = PadValue

    def __init__(self, read: Callable[[dict], Awaitable[dict]], **options: Any):
        super().__init__(
            value={"drawing": [], "brush": DEFAULT_BRUSH, "revision": 0},
            server_functions=[read],
            apply_default_css=False,
            **component_files("pad"),
            **options,
        )

    def preprocess(self, payload: PadValue | None) -> tuple[Drawing, int]:
        """The drawing and its revision; raises gr.Error with one sentence for a bad one."""
        payload = payload or PadValue(drawing=[])
        try:
            return Drawing.from_lists(payload.drawing, payload.brush), payload.revision
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
