"""The network as users meet it: a drawing or a picture in, the likeliest digits out."""

from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from mnist_mlp.model import MLP, SHIPPED_WEIGHTS, WeightsError, load_weights, normalise
from mnist_mlp.preprocess import Drawing, Stages, stages_of_drawing, stages_of_picture


# Below this probability of the likeliest digit a reading is no more than a guess. Networks that were
# trained on non-digits as well put scribbles and letters there, and under 1 % of real digits.
MIN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Guess:
    """A digit and how likely it is, in [0, 1]."""

    digit: int
    probability: float


@dataclass(frozen=True)
class Reading:
    """The likeliest digits first, and how the network's input came about.

    Without ink there are neither guesses nor stages.
    """

    guesses: tuple[Guess, ...] = ()
    stages: Stages | None = None

    @property
    def is_sure(self) -> bool:
        """Whether the likeliest digit may be named as the answer."""
        return bool(self.guesses) and self.guesses[0].probability >= MIN_CONFIDENCE


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
        return self._read(stages_of_drawing(drawing), top)

    def read_picture(self, picture: Image.Image, top: int = 3) -> Reading:
        return self._read(stages_of_picture(picture), top)

    @torch.inference_mode()
    def _read(self, stages: Stages | None, top: int) -> Reading:
        if stages is None:
            return Reading()
        image = torch.from_numpy(stages.centred)
        probabilities, digits = self.model.probabilities(normalise(image[None]))[0].topk(top)
        guesses = zip(digits.tolist(), probabilities.tolist(), strict=True)
        return Reading(tuple(Guess(*guess) for guess in guesses), stages)


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
