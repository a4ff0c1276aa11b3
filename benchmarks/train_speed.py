"""Training: ours beside the tutorial's loop, in images a second and in time to an accuracy."""

import math
import statistics
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import tutorial
from _repository import parser_with_data_dir
from bars import passes
from train_script import epochs_of_train_script

from mnist_mlp.data import load_dataset

BAR_IMAGES_PER_SECOND = 5  # times the tutorial's, with the tutorial's recipe
BAR_TIME_TO_ACCURACY = 15  # times less than the tutorial's, with our fastest preset
ACCURACY = 0.975  # on the test set

EPOCHS_SIDE_BY_SIDE = 3
LONGEST_TUTORIAL = 20  # epochs
SEEDS = (0, 1, 2)


def our_seconds_to_accuracy(data_dir: Path, seed: int) -> float:
    """Training and its evaluation till the accuracy is reached; infinite where it never is."""
    epochs = epochs_of_train_script(data_dir, "--preset", "fast", "--seed", str(seed))
    return min(
        (epoch["seconds"] for epoch in epochs if epoch["test_accuracy"] >= ACCURACY),
        default=math.inf,
    )


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
    options = parser_with_data_dir(__doc__).parse_args()
    data = load_dataset(options.data_dir)
    print(data.notice)
    if data.name != "MNIST":
        return 1

    their_run = tutorial.train(options.data_dir, LONGEST_TUTORIAL)
    their_epochs, their_speeds, our_speeds = [], [], []
    for number in range(1, EPOCHS_SIDE_BY_SIDE + 1):
        their_epochs.append(next(their_run))
        their_speeds.append(their_epochs[-1].images_per_second)
        ours = epochs_of_train_script(options.data_dir, "--epochs", str(EPOCHS_SIDE_BY_SIDE))
        our_speeds += [epoch["images_per_second"] for epoch in ours]
        print(
            f"Epoch {number} of the tutorial: {their_speeds[-1]:,.0f} images/s; {len(ours)} of the "
            f"same recipe in train.py: {statistics.mean(our_speeds[-len(ours) :]):,.0f}."
        )

    theirs = their_seconds_to_accuracy(chain(their_epochs, their_run))
    ours = [our_seconds_to_accuracy(options.data_dir, seed) for seed in SEEDS]
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
