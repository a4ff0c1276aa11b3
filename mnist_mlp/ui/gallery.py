"""The gallery: pages of the test set, each image with its true digit and what it was read as."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from mnist_mlp.classify import Reading
from mnist_mlp.data import Digits
from mnist_mlp.evaluate import Evaluation
from mnist_mlp.model import CLASSES
from mnist_mlp.ui.answer import as_json
from mnist_mlp.ui.assets import component_files

IMAGES_A_PAGE = 60
CAPTIONS = (
    "Ink on white",
    "Inverted",
    "Cropped to the ink",
    "Longer side scaled to 20 pixels",
    "Centre of mass in the middle of 28 by 28",
)


class GalleryError(ValueError):
    """What was posted is not a question to the gallery; the message is one sentence."""


@dataclass(frozen=True)
class Query:
    """Which images are wanted, and which page of them, counted from 0."""

    label: int | None = None
    prediction: int | None = None
    only_mistakes: bool = False
    least_confident_first: bool = False
    page: int = 0


class Gallery(gr.HTML):
    """Browses the test set for the visitor that its value names.

    The value is `{"session": key, "network": name}`; a new network's name makes it ask anew.

    `browse` is called with `{"session": key, "query": {...}}`, the keys those of Query, and returns
    what `page_as_json` makes; `look` with `{"session": key, "index": number}`, and returns what
    `image_as_json` makes. Both may be long at the first question and are no coroutines. The event
    `sent` comes when an image's reading went to the answer, as the document's event "reading".
    """

    def __init__(self, browse: Callable[[Any], dict], look: Callable[[Any], dict], **options: Any):
        super().__init__(
            value=None,
            server_functions=[browse, look],
            digits=list(range(CLASSES)),
            captions=CAPTIONS,
            apply_default_css=False,
            **component_files("gallery", "pixels", "guesses", "confusion"),
            **options,
        )


def checked_query(value: Any) -> Query:
    """Take over what was posted, what it leaves out as Query has it; raises GalleryError."""
    if not isinstance(value, dict):
        raise GalleryError("A query is a JSON object.")
    query = Query(**{name: value[name] for name in Query.__dataclass_fields__ if name in value})
    for name in ("label", "prediction"):
        digit = getattr(query, name)
        if digit is not None and not _is_whole_number(digit, CLASSES - 1):
            raise GalleryError(f'"{name}" is a digit, 0 to 9, or null.')
    for name in ("only_mistakes", "least_confident_first"):
        if not isinstance(getattr(query, name), bool):
            raise GalleryError(f'"{name}" is true or false.')
    if not _is_whole_number(query.page, 10**6):
        raise GalleryError('"page" is a whole number, 0 or more.')
    return query


def checked_index(value: Any, digits: Digits) -> int:
    """The number of an image, counted from 0; raises GalleryError."""
    if not _is_whole_number(value, len(digits) - 1):
        raise GalleryError(f'"index" is a whole number, 0 to {len(digits) - 1:,}.')
    return value


def _is_whole_number(value: Any, highest: int) -> bool:
    return type(value) is int and 0 <= value <= highest


def page_as_json(evaluation: Evaluation, digits: Digits, query: Query) -> dict[str, Any]:
    """One page of the images that are wanted, and the figures of the whole set.

    Beyond the last page comes the last one. The pixels of all its images are one string.
    """
    found = evaluation.find(
        label=query.label,
        prediction=query.prediction,
        only_mistakes=query.only_mistakes,
        least_confident_first=query.least_confident_first,
    )
    pages = max(1, -(-len(found) // IMAGES_A_PAGE))
    page = min(query.page, pages - 1)
    indices = found[page * IMAGES_A_PAGE : (page + 1) * IMAGES_A_PAGE]
    probabilities, predictions = evaluation.probabilities[indices].max(dim=1)
    columns = (indices, digits.labels[indices], predictions, probabilities)
    return {
        "found": len(found),
        "page": page,
        "pages": pages,
        "images": [
            {"index": index, "label": label, "prediction": prediction, "probability": probability}
            for index, label, prediction, probability in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ],
        "pixels": base64.b64encode(digits.images[indices].numpy()).decode(),
        "confusion": evaluation.confusion_matrix.tolist(),
        "recall": evaluation.recall.tolist(),
    }


def image_as_json(reading: Reading, digits: Digits, index: int) -> dict[str, Any]:
    """One image: its true digit, and its reading as the answer gets it, but with ten guesses."""
    return {
        "index": index,
        "label": int(digits.labels[index]),
        "reading": as_json(reading, revision=0),
    }
