"""How good a network is: accuracy, top-k, confusion matrix, calibration."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_mlp.data import Digits
from mnist_mlp.model import CLASSES, MLP, normalise

CALIBRATION_BINS = 15
BATCH = 2_000


@dataclass(frozen=True)
class ReliabilityBins:
    """Answers by how sure they are, 15 equal-width bins of (0, 1]; (15,) each, 0 where empty."""

    counts: Tensor  # int64
    confidence: Tensor  # float64 in [0, 1], the mean of a bin
    accuracy: Tensor  # float64 in [0, 1], the share of a bin that is right


@dataclass(frozen=True)
class Evaluation:
    """The probabilities of a labelled set, (n, 10) float32, and what follows from them."""

    probabilities: Tensor
    labels: Tensor

    @property
    def predictions(self) -> Tensor:
        """(n,) int64: the likeliest digit of each image."""
        return self.probabilities.argmax(dim=1)

    def top_k(self, k: int) -> float:
        """The share of images whose label is among the k likeliest digits, in [0, 1]."""
        likeliest = self.probabilities.topk(k, dim=1).indices
        return (likeliest == self.labels[:, None]).any(dim=1).float().mean().item()

    @property
    def accuracy(self) -> float:
        return self.top_k(1)

    @property
    def errors(self) -> int:
        return int((self.predictions != self.labels).sum())

    @property
    def confusion_matrix(self) -> Tensor:
        """(10, 10) int64: rows the true digit, columns the predicted one."""
        cells = self.labels * CLASSES + self.predictions
        return torch.bincount(cells, minlength=CLASSES**2).view(CLASSES, CLASSES)

    @property
    def precision(self) -> Tensor:
        """(10,) float32 in [0, 1]: of the images read as a digit, the share that are it."""
        matrix = self.confusion_matrix
        return matrix.diag() / matrix.sum(dim=0).clamp(min=1)

    @property
    def recall(self) -> Tensor:
        """(10,) float32 in [0, 1]: of the images of a digit, the share that are read as it."""
        matrix = self.confusion_matrix
        return matrix.diag() / matrix.sum(dim=1).clamp(min=1)

    def most_confident_mistakes(self, count: int) -> Tensor:
        """Up to `count` indices of images read wrong, the surest of them first."""
        confidence, predictions = self.probabilities.max(dim=1)
        mistakes = (predictions != self.labels).nonzero().flatten()
        return mistakes[confidence[mistakes].argsort(descending=True)[:count]]

    def find(
        self,
        *,
        label: int | None = None,
        prediction: int | None = None,
        only_mistakes: bool = False,
        least_confident_first: bool = False,
    ) -> Tensor:
        """(found,) int64: indices of the images that all these conditions hold for.

        They keep the set's order, or come by the probability of what they were read as.
        """
        confidence, predictions = self.probabilities.max(dim=1)
        wanted = torch.ones(len(self.labels), dtype=torch.bool)
        if label is not None:
            wanted &= self.labels == label
        if prediction is not None:
            wanted &= predictions == prediction
        if only_mistakes:
            wanted &= predictions != self.labels
        indices = wanted.nonzero().flatten()
        if least_confident_first:
            indices = indices[confidence[indices].argsort(stable=True)]
        return indices

    @property
    def reliability(self) -> ReliabilityBins:
        """How often answers are right beside how sure they are (Guo et al. 2017, figure 1)."""
        confidence, prediction = self.probabilities.double().max(dim=1)
        correct = (prediction == self.labels).double()
        bins = (confidence * CALIBRATION_BINS).ceil().long().clamp(1, CALIBRATION_BINS) - 1
        counts = torch.bincount(bins, minlength=CALIBRATION_BINS)

        def mean(values: Tensor) -> Tensor:
            sums = torch.bincount(bins, values, minlength=CALIBRATION_BINS)
            return sums / counts.clamp(min=1)

        return ReliabilityBins(counts, mean(confidence), mean(correct))

    @property
    def calibration_error(self) -> float:
        """Expected calibration error in [0, 1], 15 equal-width bins (Guo et al. 2017)."""
        bins = self.reliability
        gaps = (bins.accuracy - bins.confidence).abs()
        return ((bins.counts * gaps).sum() / len(self.labels)).item()

    def as_dict(self) -> dict[str, Any]:
        """What the figures of `plots` show, in plain numbers for JSON."""
        confidence, predictions = self.probabilities.max(dim=1)
        bins = self.reliability
        return {
            "errors": self.errors,
            "confusion_matrix": self.confusion_matrix.tolist(),
            "precision": self.precision.tolist(),
            "recall": self.recall.tolist(),
            "reliability": [
                {"count": count, "confidence": sure, "accuracy": right}
                for count, sure, right in zip(
                    bins.counts.tolist(),
                    bins.confidence.tolist(),
                    bins.accuracy.tolist(),
                    strict=True,
                )
            ],
            "mistakes": [
                {
                    "index": index,
                    "label": int(self.labels[index]),
                    "prediction": int(predictions[index]),
                    "probability": confidence[index].item(),
                }
                for index in self.most_confident_mistakes(self.errors).tolist()
            ],
        }


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature at which softmax(logits / temperature) fits the labels best.

    logits: (n, 10) float32; labels: (n,) int64. The cross entropy is convex in 1 / temperature,
    which is narrowed down between 0.1 and 10 (Guo et al. 2017, section 4.2).
    """
    low, high = 0.1, 10.0
    while high - low > 1e-4:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if F.cross_entropy(logits * left, labels) < F.cross_entropy(logits * right, labels):
            high = right
        else:
            low = left
    return 2 / (low + high)


@torch.inference_mode()
def evaluate(model: MLP, digits: Digits) -> Evaluation:
    """Score a network; the images go through it in batches on its own device."""
    device = next(model.parameters()).device
    batches = [
        model.probabilities(normalise(images.to(device))).cpu()
        for images in digits.images.split(BATCH)
    ]
    return Evaluation(torch.cat(batches), digits.labels.cpu())


@torch.inference_mode()
def accuracy(model: MLP, digits: Digits) -> float:
    """The share of images read right, in [0, 1]; digits and network are on the same device."""
    correct = sum(
        int((model(normalise(images)).argmax(dim=1) == labels).sum())
        for images, labels in zip(
            digits.images.split(BATCH), digits.labels.split(BATCH), strict=True
        )
    )
    return correct / len(digits)
