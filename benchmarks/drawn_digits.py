"""Reading drawn digits: our weights beside the tutorial's network and its way to 28 x 28."""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import tutorial
from _repository import parser_with_data_dir
from bars import passes

from mnist_mlp.data import DataError, Dataset, Digits, load_dataset, read_drawings
from mnist_mlp.evaluate import Evaluation, evaluate
from mnist_mlp.model import MLP, SHIPPED_WEIGHTS, WeightsError, load_weights
from mnist_mlp.preprocess import images_of_drawings
from mnist_mlp.training import TrainConfig, train

MNIST_TEST = "MNIST test"
PEN_SETS = ("val", "val_anywhere")

# Percent that the shipped weights read right at once.
BARS = {MNIST_TEST: 98.0, "val_anywhere": 97.0}

SHIPPED = "shipped weights, our preprocessing"


def parse_arguments() -> argparse.Namespace:
    parser = parser_with_data_dir(__doc__)
    parser.add_argument(
        "--tutorial-weights",
        type=Path,
        metavar="FILE",
        help="the tutorial's best_model.pth (default: train its recipe first)",
    )
    return parser.parse_args()


def tutorial_network(weights: Path | None, data: Dataset) -> MLP:
    if weights:
        return load_weights(weights)[0]
    *_, finished = train(TrainConfig(), data)
    return finished.model


def load_sets(data: Dataset, data_dir: Path) -> tuple[dict[str, Digits], dict[str, Digits]]:
    """The labelled sets, the pen digits in them once centred by us and once resized whole.

    MNIST's own digits are 28 x 28 already and the same in both.
    """
    centred, resized = {MNIST_TEST: data.test}, {MNIST_TEST: data.test}
    for name in PEN_SETS:
        pen = read_drawings(data_dir / "pen" / f"{name}.ndjson")
        whole_pads = np.stack([tutorial.image_of_drawing(drawing) for drawing in pen.drawings])
        centred[name] = Digits(torch.from_numpy(images_of_drawings(pen.drawings)), pen.labels)
        resized[name] = Digits(torch.from_numpy(whole_pads), pen.labels)
    return centred, resized


def print_table(table: dict[str, dict[str, Evaluation]]) -> None:
    """A row a network and its preprocessing, a column a set."""
    sets = next(iter(table.values()))
    print(f"{'top-1 / top-3 in percent':40}" + "".join(f"{name:>16}" for name in sets))
    for row, evaluations in table.items():
        cells = [f"{100 * e.top_k(1):.2f} / {100 * e.top_k(3):.2f}" for e in evaluations.values()]
        print(f"{row:40}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> int:
    options = parse_arguments()
    data = load_dataset(options.data_dir)
    print(data.notice)
    if data.name != "MNIST":
        return 1
    try:
        centred, resized = load_sets(data, options.data_dir)
        shipped, _ = load_weights(SHIPPED_WEIGHTS)
        theirs = tutorial_network(options.tutorial_weights, data)
    except (DataError, WeightsError) as error:
        sys.exit(str(error))

    rows = {
        "tutorial's network, its resize": (theirs, resized),
        "tutorial's network, our preprocessing": (theirs, centred),
        SHIPPED: (shipped, centred),
    }
    table = {
        row: {name: evaluate(model, digits) for name, digits in sets.items()}
        for row, (model, sets) in rows.items()
    }
    print_table(table)
    passed = [
        passes(
            f"shipped weights, {name}, top-1", 100 * table[SHIPPED][name].top_k(1), "at least", bar
        )
        for name, bar in BARS.items()
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
