"""How good a network is: accuracy, top-k, confusion matrix, calibration."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_mlp.data import Digits
from mnist_mlp.model import CLASSES, MLP, normalise

CALIBRATION_BINS = 15
BATCH = 2_000


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

    @property
    def calibration_error(self) -> float:
        """Expected calibration error in [0, 1], 15 equal-width bins (Guo et al. 2017)."""
        confidence, prediction = self.probabilities.double().max(dim=1)
        correct = (prediction == self.labels).double()
        bins = (confidence * CALIBRATION_BINS).ceil().long().clamp(1, CALIBRATION_BINS) - 1
        gaps = torch.zeros(CALIBRATION_BINS, dtype=torch.float64)
        gaps.index_add_(0, bins, correct - confidence)
        return (gaps.abs().sum() / len(self.labels)).item()


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
