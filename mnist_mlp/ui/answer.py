"""The answer: the three likeliest digits, what the network saw, and how that came about."""

import base64
from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from mnist_mlp.classify import Guess, Reading
from mnist_mlp.preprocess import STAGE_CAPTIONS, Stages
from mnist_mlp.ui.assets import component_files

THUMBNAIL = 96


class Answer(gr.HTML):
    """Shows readings: those that Python sets and those of the document's event "reading"."""

    def __init__(self, **options: Any):
        super().__init__(
            value=None,
            captions=STAGE_CAPTIONS,
            apply_default_css=False,
            **component_files("answer", "pixels", "guesses"),
            **options,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "object", "description": "revision, guesses, sure, number, digits, stages"}

    def example_payload(self) -> Any:
        return {
            "revision": 1,
            "guesses": [{"digit": 7, "probability": 0.98}],
            "sure": True,
            "number": "7",
            "digits": [{"digit": 7, "probability": 0.98}],
            "stages": [],
        }

    def example_value(self) -> Any:
        return self.example_payload()


def as_json(reading: Reading, revision: int) -> dict[str, Any]:
    """A reading as the page gets it; without ink the lists are empty.

    Guesses and stages are the first digit's; `digits` has the likeliest of each digit of a
    number, with that digit's own guesses.
    """
    return {
        "revision": revision,
        "guesses": _guesses_as_json(reading.guesses),
        "sure": reading.is_sure,
        "number": reading.number,
        "digits": [
            _guesses_as_json(digit.guesses[:1])[0] | {"guesses": _guesses_as_json(digit.guesses)}
            for digit in reading.digits
        ],
        "stages": _stage_images(reading.stages) if reading.stages else [],
    }


def _guesses_as_json(guesses: Sequence[Guess]) -> list[dict[str, Any]]:
    return [{"digit": guess.digit, "probability": round(guess.probability, 4)} for guess in guesses]


def _stage_images(stages: Stages) -> list[dict[str, Any]]:
    """The five stages in order, the large ones as thumbnails."""
    images = [_thumbnail(image) for image in stages.images]
    return [
        {
            "width": image.shape[1],
            "height": image.shape[0],
            "pixels": base64.b64encode(np.ascontiguousarray(image)).decode(),
        }
        for image in images
    ]


def _thumbnail(image: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(image)
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.asarray(picture)
