"""Figures, made with matplotlib's object interface so that no window or global state is needed."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from mnist_mlp.augment import NONE, Distortions, distort
from mnist_mlp.classify import Reading
from mnist_mlp.evaluate import CALIBRATION_BINS, Evaluation
from mnist_mlp.model import CLASSES
from mnist_mlp.preprocess import STAGE_CAPTIONS, Stages
from mnist_mlp.training import EpochEnd

MISTAKES_SHOWN = 100
MISTAKES_A_ROW = 10


def training_curves(history: Sequence[EpochEnd]) -> Figure:
    """Loss on the left, training and test accuracy on the right, an epoch at a time."""
    epochs = [epoch.epoch for epoch in history]
    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [epoch.loss for epoch in history], marker=".")
    loss.set(xlabel="Epoch", ylabel="Training loss (cross entropy)")
    for label, values in (
        ("Training", [epoch.train_accuracy for epoch in history]),
        ("Test", [epoch.test_accuracy for epoch in history]),
    ):
        accuracy.plot(epochs, [100 * value for value in values], marker=".", label=label)
    accuracy.set(xlabel="Epoch", ylabel="Accuracy (%)")
    accuracy.legend()
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def preprocessing(stages: Stages) -> Figure:
    """A drawing on its way to 28 x 28, stage by stage."""
    figure = Figure(figsize=(11, 2.9), layout="constrained")
    panels = figure.subplots(1, len(stages.images))
    for axes, image, caption in zip(panels, stages.images, STAGE_CAPTIONS, strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(textwrap.fill(caption, 24), fontsize=10)
        axes.set(xticks=[], yticks=[])
    return figure


def confusion_matrix(evaluation: Evaluation) -> Figure:
    """Rows are the true digits, columns the predicted ones; each cell is coloured by its row.

    The square root of a cell's share of its row lifts the few mistakes among many right answers.
    """
    counts = evaluation.confusion_matrix.numpy()
    shades = np.sqrt(counts / counts.sum(axis=1, keepdims=True).clip(min=1))
    figure = Figure(figsize=(6.5, 6.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shades, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*counts.nonzero(), strict=True):
        color = "white" if shades[row, column] > 0.6 else "black"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=color)
    axes.set(
        xlabel="Predicted digit",
        ylabel="True digit",
        xticks=range(CLASSES),
        yticks=range(CLASSES),
        title=f"{evaluation.errors:,} of {len(evaluation.labels):,} read wrong, "
        f"accuracy {evaluation.accuracy:.2%}",
    )
    return figure


def mistakes(evaluation: Evaluation, images: Tensor, limit: int = MISTAKES_SHOWN) -> Figure:
    """The images read wrong, (n, 28, 28) uint8 all of them, the surest mistakes first."""
    shown = evaluation.most_confident_mistakes(limit).tolist()
    rows = max(1, -(-len(shown) // MISTAKES_A_ROW))
    figure = Figure(figsize=(11, 1.35 * rows + 0.6), layout="constrained")
    figure.suptitle(_title_of_mistakes(evaluation.errors, len(shown)))
    panels = figure.subplots(rows, MISTAKES_A_ROW, squeeze=False).flatten()
    for axes in panels:
        axes.axis("off")
    for axes, index in zip(panels, shown, strict=False):
        probability, prediction = evaluation.probabilities[index].max(dim=0)
        axes.imshow(images[index].numpy(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        title = f"{evaluation.labels[index]} as {prediction} ({probability:.1%})"
        axes.set_title(title, fontsize=9)
    return figure


def _title_of_mistakes(errors: int, shown: int) -> str:
    if errors == 0:
        return "No mistakes"
    which = f"All {errors:,} mistakes" if shown == errors else f"{shown} of {errors:,} mistakes"
    return f"{which}, the surest first: the true digit, what it was read as, how sure"


def reliability_diagram(evaluation: Evaluation) -> Figure:
    """How often answers are right, above how sure they are; below, how many answers are that sure.

    On the diagonal a network is as often right as it says (Guo et al. 2017, figure 1).
    """
    bins = evaluation.reliability
    sure, right, count = (each.numpy() for each in (bins.confidence, bins.accuracy, bins.counts))
    filled = count > 0
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    figure = Figure(figsize=(6, 7), layout="constrained")
    accuracy, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    accuracy.plot((0, 1), (0, 1), color="gray", linestyle="--", label="As often right as sure")
    accuracy.bar(
        edges[:-1], right, 1 / CALIBRATION_BINS, align="edge", edgecolor="white", alpha=0.8
    )
    accuracy.plot(sure[filled], right[filled], "ko", label="Mean of a bin")
    accuracy.set(
        ylabel="Share of answers that are right",
        xlim=(0, 1),
        ylim=(0, 1.03),
        title=f"Expected calibration error {evaluation.calibration_error:.2%}",
    )
    accuracy.legend(loc="upper left")
    counts.bar(edges[:-1], count, 1 / CALIBRATION_BINS, align="edge", edgecolor="white")
    counts.set(xlabel="Probability of the answer", ylabel="Answers", yscale="symlog")
    for axes in (accuracy, counts):
        axes.grid(alpha=0.3)
    return figure


def distortions(image: np.ndarray, copies: int = 10) -> Figure:
    """What each distortion does to a digit, (28, 28) uint8, and in the last row all together."""
    limits = Distortions()
    rows = {
        field.name: replace(NONE, **{field.name: getattr(limits, field.name)})
        for field in fields(limits)
    }
    rows["all of them"] = limits
    figure = Figure(figsize=(copies * 0.8 + 1.2, len(rows) * 0.8), layout="constrained")
    panels = figure.subplots(len(rows), copies)
    images = torch.from_numpy(image).repeat(copies, 1, 1)
    for (name, distorted), row in zip(rows.items(), panels, strict=True):
        row[0].set_ylabel(name.capitalize(), rotation=0, ha="right", va="center")
        generator = torch.Generator().manual_seed(0)
        for axes, copy in zip(row, distort(images, generator, distorted), strict=True):
            axes.imshow(copy, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
    return figure


def predictions(panels: Sequence[tuple[str, np.ndarray, Reading]]) -> Figure:
    """Pictures with their ink outlined, and what they were read as in the title.

    A panel is a name, a picture (height, width, 3) uint8 and its reading.
    """
    columns = min(len(panels), 5)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(max(4.0, 3.2 * columns), 3.4 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat[len(panels) :]:
        axes.remove()
    for axes, (name, picture, reading) in zip(figure.axes, panels, strict=True):
        axes.imshow(picture)
        axes.set(xticks=[], yticks=[])
        if reading.stages:
            axes.contour(reading.stages.white_on_black, [128], colors="#f97316", linewidths=1.2)
        axes.set_title(_prediction(reading), fontsize=11)
        if len(panels) > 1:
            axes.set_xlabel(name, fontsize=7)
    return figure


def _prediction(reading: Reading) -> str:
    """The number, and how likely all its digits are right."""
    if not reading.digits:
        return "Nothing drawn"
    probability = math.prod(digit.guesses[0].probability for digit in reading.digits)
    verb = "Predicted" if reading.is_sure else "Not sure, perhaps"
    return f"{verb}: {reading.number} ({100 * probability:.1f} %)"
