"""Reading drawn digits: our weights beside the tutorial's network and its way to 28 x 28.

A table of what each reads right, in percent, then every bar that the shipped weights have to meet.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tutorial
from _repository import parser_with_data_dir
from bars import passes
from shapes import shapes

from mnist_mlp.classify import MIN_CONFIDENCE
from mnist_mlp.data import DataError, Dataset, Digits, LabelledDrawings, load_dataset, read_drawings
from mnist_mlp.evaluate import Evaluation, evaluate
from mnist_mlp.model import MLP, SHIPPED_WEIGHTS, WeightsError, load_weights
from mnist_mlp.preprocess import PAD_SIZE, Drawing, images_of_drawings
from mnist_mlp.training import TrainConfig, train

MNIST_TEST, VAL, VAL_ANYWHERE = "MNIST test", "val", "val_anywhere"
BRUSHES = (4, 8, 14, 22, 30)  # pad units
ROTATIONS = (-15, 0, 15)  # degrees, clockwise
SHAPES_OF_A_KIND = 120
SHAPES_SEED = 0

# Percent: top-1 and top-3 at least, calibration error at most.
BARS = {MNIST_TEST: (99.45, 99.98, 0.5), VAL: (99.4, 99.9, 1.0), VAL_ANYWHERE: (99.3, 99.9, 1.0)}
BAR_A_CELL = 98.0
BAR_A_GROUP = 97.0
BAR_SURE_OF_SHAPES = 5.0  # percent of them with a probability above 0.9
BAR_UNSURE_OF_DIGITS = 1.0


@dataclass(frozen=True)
class Pipeline:
    """A network and the way in which a drawing reaches it."""

    name: str
    model: MLP
    images_of: Callable[[Sequence[Drawing]], np.ndarray]  # (n, 28, 28) uint8

    def read(self, labelled: LabelledDrawings) -> Evaluation:
        images = torch.from_numpy(self.images_of(labelled.drawings))
        return evaluate(self.model, Digits(images, labelled.labels))


def parse_arguments() -> argparse.Namespace:
    parser = parser_with_data_dir(__doc__)
    parser.add_argument(
        "--tutorial-weights",
        type=Path,
        metavar="FILE",
        help="the tutorial's best_model.pth (default: train its recipe first)",
    )
    parser.add_argument(
        "--weights", type=Path, default=SHIPPED_WEIGHTS, help="ours (default: the shipped file)"
    )
    return parser.parse_args()


def tutorial_network(weights: Path | None, data: Dataset) -> MLP:
    if weights:
        return load_weights(weights)[0]
    *_, finished = train(TrainConfig(), data)
    return finished.model


def shrunk_pads(drawings: Sequence[Drawing]) -> np.ndarray:
    return np.stack([tutorial.image_of_drawing(drawing) for drawing in drawings])


def with_brush_and_rotation(
    labelled: LabelledDrawings, brush: float, degrees: float
) -> LabelledDrawings:
    """The same digits, turned about the middle of the pad."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    middle = PAD_SIZE / 2
    drawings = tuple(
        Drawing(
            tuple(((s - middle) @ turn + middle).astype(np.float32) for s in drawing.strokes),
            brush,
        )
        for drawing in labelled.drawings
    )
    return replace(labelled, drawings=drawings)


def groups_of(val: LabelledDrawings) -> dict[str, LabelledDrawings]:
    """Ways of writing a digit, as somebody who looked at all of `val` has listed them by line."""
    lists = Path(__file__).with_name("handwriting_groups.json").read_text(encoding="utf-8")
    return {name: val[[n - 1 for n in lines]] for name, lines in json.loads(lists).items()}


def labelled_shapes(val: LabelledDrawings) -> dict[str, LabelledDrawings]:
    """Things that are no digits; none of the code that draws them was used in training."""
    kinds = shapes(SHAPES_OF_A_KIND, SHAPES_SEED, val.drawings)
    nothing = torch.zeros(SHAPES_OF_A_KIND, dtype=torch.int64)
    names = ("",) * SHAPES_OF_A_KIND
    return {kind: LabelledDrawings(tuple(d), nothing, names) for kind, d in kinds.items()}


def percent_sure(evaluation: Evaluation, above: float = 0.9) -> float:
    return 100 * (evaluation.probabilities.amax(dim=1) > above).float().mean().item()


def print_row(name: str, cells: Sequence[str]) -> None:
    print(f"{name:34}" + "".join(f"{cell:>23}" for cell in cells), flush=True)


def compare(
    name: str,
    pipelines: Sequence[Pipeline],
    labelled: LabelledDrawings,
    figure: Callable[[Evaluation], float] = lambda evaluation: 100 * evaluation.accuracy,
) -> float:
    """Print a row, a column a pipeline; the figure of the last of them, ours, is returned."""
    figures = [figure(pipeline.read(labelled)) for pipeline in pipelines]
    print_row(f"{name} ({len(labelled):,})", [f"{value:.2f}" for value in figures])
    return figures[-1]


def check_sets(
    pipelines: Sequence[Pipeline], data: Dataset, pen: dict[str, LabelledDrawings]
) -> list[bool]:
    """Top-1 / top-3 / calibration error of the three labelled sets."""
    ours = {}
    print_row("top-1 / top-3 / calibration error", [pipeline.name for pipeline in pipelines])
    for name in BARS:
        read = [
            pipeline.read(pen[name]) if name in pen else evaluate(pipeline.model, data.test)
            for pipeline in pipelines
        ]
        cells = [(e.accuracy, e.top_k(3), e.calibration_error) for e in read]
        print_row(name, [" / ".join(f"{100 * value:.2f}" for value in cell) for cell in cells])
        ours[name] = cells[-1]
    print()
    passed = []
    for name, (top1, top3, calibration) in BARS.items():
        figures = [100 * value for value in ours[name]]
        passed += [
            passes(f"{name}, top-1", figures[0], "at least", top1),
            passes(f"{name}, top-3", figures[1], "at least", top3),
            passes(f"{name}, calibration error", figures[2], "at most", calibration),
        ]
    return passed


def check_ways_of_drawing(pipelines: Sequence[Pipeline], val: LabelledDrawings) -> list[bool]:
    """Top-1 of `val` for each brush and rotation, and for each group of handwriting."""
    print_row("\ntop-1", [pipeline.name for pipeline in pipelines])
    cells = {
        f"brush {brush}, turned by {degrees}": with_brush_and_rotation(val, brush, degrees)
        for brush in BRUSHES
        for degrees in ROTATIONS
    }
    bars = dict.fromkeys(cells, BAR_A_CELL)
    groups = groups_of(val)
    bars |= dict.fromkeys(groups, BAR_A_GROUP)
    ours = {name: compare(name, pipelines, digits) for name, digits in (cells | groups).items()}
    print()
    return [passes(f"{name}, top-1", ours[name], "at least", bar) for name, bar in bars.items()]


def check_doubt(pipelines: Sequence[Pipeline], val: LabelledDrawings) -> list[bool]:
    """How often scribbles and shapes are taken for a digit, and digits for none."""
    print_row("\nabove 0.9", [pipeline.name for pipeline in pipelines])
    kinds = labelled_shapes(val)
    sure = [compare(kind, pipelines, drawn, percent_sure) for kind, drawn in kinds.items()]
    print_row(f"\nbelow {MIN_CONFIDENCE}", [pipeline.name for pipeline in pipelines])
    unsure = compare(VAL, pipelines, val, lambda e: 100 - percent_sure(e, MIN_CONFIDENCE))
    print()
    count = len(kinds) * SHAPES_OF_A_KIND
    return [
        passes(f"{count:,} shapes above 0.9", float(np.mean(sure)), "under", BAR_SURE_OF_SHAPES),
        passes('val called "not sure"', unsure, "under", BAR_UNSURE_OF_DIGITS),
    ]


def main() -> int:
    options = parse_arguments()
    data = load_dataset(options.data_dir)
    print(data.notice)
    if data.name != "MNIST":
        return 1
    try:
        pen = {
            name: read_drawings(options.data_dir / "pen" / f"{name}.ndjson")
            for name in (VAL, VAL_ANYWHERE)
        }
        ours, _ = load_weights(options.weights)
        theirs = tutorial_network(options.tutorial_weights, data)
    except (DataError, WeightsError) as error:
        sys.exit(str(error))

    pipelines = (
        Pipeline("tutorial's, its resize", theirs, shrunk_pads),
        Pipeline("tutorial's, our way", theirs, images_of_drawings),
        Pipeline("ours", ours, images_of_drawings),
    )
    passed = [
        *check_sets(pipelines, data, pen),
        *check_ways_of_drawing(pipelines, pen[VAL]),
        *check_doubt(pipelines, pen[VAL]),
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
