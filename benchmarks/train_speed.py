"""Training: ours beside the tutorial's loop, in images a second and in time to an accuracy."""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import _repository  # noqa: F401
import tutorial
from bars import passes

from mnist_mlp.data import Dataset, default_data_dir, load_dataset
from mnist_mlp.training import PRESETS, BatchEnd, EpochEnd, Progress, TrainConfig, train

BAR_IMAGES_PER_SECOND = 5  # times the tutorial's, with the tutorial's recipe
BAR_TIME_TO_ACCURACY = 15  # times less than the tutorial's, with our fastest preset
ACCURACY = 0.975  # on the test set

EPOCHS_SIDE_BY_SIDE = 3
LONGEST_TUTORIAL = 20  # epochs
SEEDS = (0, 1, 2)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=default_data_dir(),
        help="where MNIST is or goes (default: MNIST_DATA_DIR, else data)",
    )
    return parser.parse_args()


def images_per_second(events: Iterator[Progress], data: Dataset) -> float:
    """Of our next epoch: its shuffle and its reports count, the evaluation after it does not."""
    start = time.perf_counter()
    seconds = math.nan
    for event in events:
        if isinstance(event, BatchEnd) and event.batch == event.batches:
            seconds = time.perf_counter() - start
        if isinstance(event, EpochEnd):
            break
    return len(data.train) / seconds


def our_seconds_to_accuracy(config: TrainConfig, data: Dataset) -> float:
    """Training and its evaluation till the accuracy is reached; infinite where it never is."""
    start = time.perf_counter()
    for event in train(config, data):
        if isinstance(event, EpochEnd) and event.test_accuracy >= ACCURACY:
            return time.perf_counter() - start
    return math.inf


def their_seconds_to_accuracy(epochs: Iterable[tutorial.Epoch]) -> float:
    """Training and its evaluation till the accuracy is reached; all of it where it never is."""
    seconds = 0.0
    for number, epoch in enumerate(epochs, start=1):
        seconds += epoch.seconds
        if epoch.test_accuracy >= ACCURACY:
            print(f"Tutorial: {ACCURACY:.1%} in epoch {number}, after {seconds:.1f} s.")
            return seconds
    print(f"Tutorial: never {ACCURACY:.1%}; its {seconds:.1f} s are a lower bound.")
    return seconds


def main() -> int:
    options = parse_arguments()
    data = load_dataset(options.data_dir)
    print(data.notice)
    if data.name != "MNIST":
        return 1

    their_run = tutorial.train(options.data_dir, LONGEST_TUTORIAL)
    our_run = train(TrainConfig(), data)
    their_epochs, our_speeds = [], []
    for number in range(1, EPOCHS_SIDE_BY_SIDE + 1):
        their_epochs.append(next(their_run))
        our_speeds.append(images_per_second(our_run, data))
        print(
            f"Epoch {number} of the same recipe: tutorial "
            f"{their_epochs[-1].images_per_second:,.0f} images/s, ours {our_speeds[-1]:,.0f}."
        )
    their_speeds = [epoch.images_per_second for epoch in their_epochs]

    theirs = their_seconds_to_accuracy(chain(their_epochs, their_run))
    ours = [our_seconds_to_accuracy(replace(PRESETS["fast"], seed=seed), data) for seed in SEEDS]
    print(
        f"Preset fast: {ACCURACY:.1%} after {', '.join(f'{seconds:.1f} s' for seconds in ours)} "
        f"with the seeds {SEEDS}."
    )

    passed = [
        passes(
            "images a second, ours / tutorial's",
            statistics.median(our_speeds) / statistics.median(their_speeds),
            "at least",
            BAR_IMAGES_PER_SECOND,
        ),
        passes(
            f"seconds to {ACCURACY:.1%}, tutorial's / our slowest",
            theirs / max(ours),
            "at least",
            BAR_TIME_TO_ACCURACY,
        ),
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
