"""The settings of a run as the Train tab's fields hold them, and as the page's address does."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mnist_mlp.model import MAX_HIDDEN_LAYERS, MAX_HIDDEN_UNITS
from mnist_mlp.training import OPTIMIZERS, PRESETS, SCHEDULES, TrainConfig

MAX_EPOCHS = 50
# On the page "best" goes without what takes most of its time: its teacher and most of its epochs.
# And it has no drawings, to which the non-digits belong.
PAGE_PRESETS = {
    name: replace(preset, epochs=min(preset.epochs, MAX_EPOCHS), teacher_epochs=0, non_digits=0)
    for name, preset in PRESETS.items()
}
HELP = {
    "epochs": f"Passes over the training images, 1 to {MAX_EPOCHS}",
    "batch_size": "Images a step, 16 to 2,048",
    "learning_rate": "Size of a step, 0.00001 to 1; of one-cycle, the largest",
    "hidden_sizes": "Units of each layer, such as 256, 128, 64; empty: a linear classifier",
    "optimizer": "How the gradient becomes a step; SGD has momentum 0.9",
    "schedule": "Of the rate: constant, up and down once, or down to zero",
    "train_images": "Train on the first so many, 500 or more, or all",
    "augment": "Learn from copies that are turned, slanted, bent, thinner, thicker",
    "averaged": "Average the weights over the last few hundred steps",
    "seed": "The same seed gives the same network",
}
FIELDS = tuple(HELP)
ALL_IMAGES = "all"
CUSTOM = "custom"


def fields_of(config: TrainConfig) -> dict[str, Any]:
    """A config as the fields' values."""
    values = {name: getattr(config, name) for name in FIELDS}
    values["hidden_sizes"] = ", ".join(map(str, config.hidden_sizes))
    values["train_images"] = str(config.train_images or ALL_IMAGES)
    return values


def config_of(values: Mapping[str, Any]) -> tuple[TrainConfig | None, dict[str, str]]:
    """The config that the fields' values describe, or for each wrong one a sentence."""
    parsed, errors = {}, {}
    for name in FIELDS:
        try:
            parsed[name] = _PARSERS[name](values.get(name))
        except ValueError as error:
            errors[name] = str(error)
    return (None if errors else TrainConfig(**parsed)), errors


def fields_of_address(query: Mapping[str, str]) -> dict[str, Any]:
    """The fields' values of a page's address; what it does not name is the tutorial's."""
    values = fields_of(PAGE_PRESETS["tutorial"])
    values |= {name: query[name] for name in FIELDS if name in query}
    for name in ("augment", "averaged"):
        values[name] = str(values[name]).lower() == "true"
    return values


def preset_of(values: Mapping[str, Any]) -> str:
    """The preset that these values are, else CUSTOM."""
    config, _ = config_of(values)
    return next((name for name, preset in PAGE_PRESETS.items() if preset == config), CUSTOM)


def label_of(config: TrainConfig) -> str:
    """A run's settings in one line, for the legend."""
    layers = "-".join(map(str, config.hidden_sizes)) or "no hidden layers"
    parts = [
        layers,
        f"{config.optimizer} {config.learning_rate:g}",
        f"batch {config.batch_size}",
        f"{config.epochs} epochs",
    ]
    if config.schedule != "constant":
        parts.append(config.schedule)
    if config.augment:
        parts.append("distorted")
    if config.averaged:
        parts.append("averaged")
    if config.train_images:
        parts.append(f"{config.train_images:,} images")
    if config.seed:
        parts.append(f"seed {config.seed}")
    return ", ".join(parts)


def _whole_number(what: str, low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        number = _number(value)
        if not low <= number <= high or number != int(number):
            raise ValueError(f"{what} must be a whole number, {low:,} to {high:,}.")
        return int(number)

    return parse


def _number(value: Any) -> float:
    """Not a number where there is none: it then lies outside of every range."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _learning_rate(value: Any) -> float:
    number = _number(value)
    if not 1e-5 <= number <= 1:
        raise ValueError("The learning rate must be a number, 0.00001 to 1.")
    return number


def _hidden_sizes(value: Any) -> tuple[int, ...]:
    # Any comma will do, a Chinese one too.
    words = [word for word in re.split(r"[^\w.+-]+", str(value or "")) if word]
    if not all(word.isascii() and word.isdigit() and len(word) < 9 for word in words):
        raise ValueError("Write the layers' sizes as whole numbers, such as 256, 128, 64.")
    sizes = tuple(map(int, words))
    if len(sizes) > MAX_HIDDEN_LAYERS or not all(1 <= s <= MAX_HIDDEN_UNITS for s in sizes):
        raise ValueError(
            f"There can be up to {MAX_HIDDEN_LAYERS} hidden layers of 1 to {MAX_HIDDEN_UNITS:,} "
            "units each."
        )
    return sizes


def _train_images(value: Any) -> int | None:
    text = str(value if value is not None else "").strip().replace(",", "").lower()
    if text in ("", ALL_IMAGES):
        return None
    if not (text.isascii() and text.isdigit() and 500 <= int(text[:9]) <= 60_000):
        raise ValueError('Write a whole number of images, 500 to 60,000, or "all".')
    return int(text)


def _one_of(what: str, choices: tuple[str, ...]) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{what} must be one of {', '.join(choices)}.")
        return value

    return parse


_PARSERS = {
    "epochs": _whole_number("Epochs", 1, MAX_EPOCHS),
    "batch_size": _whole_number("The batch size", 16, 2048),
    "learning_rate": _learning_rate,
    "hidden_sizes": _hidden_sizes,
    "optimizer": _one_of("The optimizer", tuple(OPTIMIZERS)),
    "schedule": _one_of("The schedule", SCHEDULES),
    "train_images": _train_images,
    "augment": bool,
    "averaged": bool,
    "seed": _whole_number("The seed", 0, 2**32 - 1),
}
