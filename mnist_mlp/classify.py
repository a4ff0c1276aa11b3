"""The network as users meet it: a drawing or a picture in, the likeliest digits out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mnist_mlp.model import MLP, SHIPPED_WEIGHTS, WeightsError, load_weights, normalise
from mnist_mlp.preprocess import (
    Drawing,
    Stages,
    digits_of_drawing,
    stages_of_drawing,
    stages_of_picture,
)

# Below this probability of the likeliest digit a reading is no more than a guess. A network that
# learned from non-digits as well puts scribbles and letters there, and under 1 % of real digits.
MIN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Guess:
    """A digit and how likely it is, in [0, 1]."""

    digit: int
    probability: float


@dataclass(frozen=True)
class DigitReading:
    """One digit: the likeliest first, and how the network's input came about."""

    guesses: tuple[Guess, ...]
    stages: Stages

    @property
    def is_sure(self) -> bool:
        """Whether the likeliest digit may be named as the answer."""
        return self.guesses[0].probability >= MIN_CONFIDENCE


@dataclass(frozen=True)
class Reading:
    """The digits that were found, from left to right; none where there is no ink."""

    digits: tuple[DigitReading, ...] = ()

    @property
    def number(self) -> str:
        return "".join(str(digit.guesses[0].digit) for digit in self.digits)

    @property
    def confidence(self) -> float:
        """The probability of the digit that is the least sure of all, in [0, 1]."""
        return min((digit.guesses[0].probability for digit in self.digits), default=0.0)

    @property
    def is_sure(self) -> bool:
        """Whether there are digits, and each may be named."""
        return bool(self.digits) and all(digit.is_sure for digit in self.digits)

    @property
    def guesses(self) -> tuple[Guess, ...]:
        """The first digit's."""
        return self.digits[0].guesses if self.digits else ()

    @property
    def stages(self) -> Stages | None:
        """The first digit's."""
        return self.digits[0].stages if self.digits else None


class Classifier:
    """A network that is loaded once and then only read from, so that threads may share it."""

    def __init__(self, model: MLP):
        self.model = model.eval()

    @classmethod
    def load(cls, weights: Path = SHIPPED_WEIGHTS) -> "Classifier":
        """Raises WeightsError, see `load_weights`."""
        model, _ = load_weights(weights)
        return cls(model)

    def read_drawing(self, drawing: Drawing, top: int = 3) -> Reading:
        """The digits of a drawing; strokes that make less sense apart are one digit.

        Of the single digits of pen/train.ndjson all but 4 in 10,000 then stay whole, and of pairs
        that lie apart 3 in 1,000.
        """
        whole = self._read([stages_of_drawing(drawing)], top)
        apart = digits_of_drawing(drawing)
        if len(apart) < 2:
            return whole
        digits = self._read(map(stages_of_drawing, apart), top)
        return whole if whole.confidence >= digits.confidence else digits

    def read_picture(self, picture: Image.Image, top: int = 3) -> Reading:
        return self._read(stages_of_picture(picture), top)

    def read_mnist(self, image: np.ndarray, top: int = 3) -> Reading:
        """Read one of MNIST's own images, (28, 28) uint8, which is what the network sees."""
        return self._read([_stages_of_mnist(image)], top)

    @torch.inference_mode()
    def _read(self, digits: Iterable[Stages | None], top: int) -> Reading:
        digits = [stages for stages in digits if stages]
        if not digits:
            return Reading()
        images = torch.from_numpy(np.stack([stages.centred for stages in digits]))
        likeliest = self.model.probabilities(normalise(images)).topk(top)
        return Reading(
            tuple(
                DigitReading(tuple(map(Guess, best, probabilities)), stages)
                for stages, best, probabilities in zip(
                    digits, likeliest.indices.tolist(), likeliest.values.tolist(), strict=True
                )
            )
        )


def _stages_of_mnist(image: np.ndarray) -> Stages | None:
    """The stages that MNIST's makers had behind them; None for a black image."""
    if not image.any():
        return None
    rows, columns = (image.any(axis=axis).nonzero()[0] for axis in (1, 0))
    left, top = int(columns[0]), int(rows[0])
    width, height = int(columns[-1]) - left + 1, int(rows[-1]) - top + 1
    ink = image[top : top + height, left : left + width]
    return Stages(image, (left, top, width, height), ink, ink, image)


def load_or_shipped(weights: Path | None) -> tuple[Classifier, str]:
    """The classifier on these weights, or on the shipped ones with a sentence that says why.

    Raises WeightsError when the shipped weights cannot be used either.
    """
    if weights is None:
        return Classifier.load(), ""
    try:
        return Classifier.load(weights), ""
    except WeightsError as error:
        return Classifier.load(), f"{error} The shipped weights are used instead."
