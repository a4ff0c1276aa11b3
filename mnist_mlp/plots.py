"""Figures, made with matplotlib's object interface so that no window or global state is needed."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import torch
from matplotlib.figure import Figure

from mnist_mlp.augment import NONE, Distortions, distort
from mnist_mlp.classify import Reading
from mnist_mlp.preprocess import STAGE_CAPTIONS, Stages
from mnist_mlp.training import EpochEnd


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
