"""Reading pictures as people have them: ours beside the tutorial's script; and how long it takes.

Times are processor time on one thread, which other programs on the machine do not lengthen; the
time on the clock is printed beside it.
"""

import argparse
import io
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import tutorial
from _repository import parser_with_data_dir
from bars import passes
from drawn_digits import tutorial_network
from PIL import Image

from mnist_mlp.classify import Classifier
from mnist_mlp.data import LabelledDrawings, load_dataset, read_drawings
from mnist_mlp.model import MLP
from mnist_mlp.pictures import PictureError, open_picture
from tests.photographs import KINDS, PHOTOGRAPHS, pictures

REPOSITORY = Path(__file__).parents[1]
SEED = 5
NUMBERS = 30
PHOTO_SIZE = (4032, 3024)  # a phone's 12 megapixels
SMALL_PICTURES = 1000

OURS_BAR, TUTORIALS_BAR = 95.0, 60.0
NUMBERS_BAR = 85.0
PHOTO_SECONDS, PHOTO_MEGABYTES = 0.7, 300
SMALL_A_SECOND = 200
EVALUATE_SECONDS = 5.0


def parse_arguments() -> argparse.Namespace:
    parser = parser_with_data_dir(__doc__)
    parser.add_argument("--count", type=int, default=100, help="pictures to make (default: 100)")
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="read these pictures instead: 7_anything.jpg, or in folders that are called 7",
    )
    parser.add_argument(
        "--tutorial-weights",
        type=Path,
        metavar="FILE",
        help="the tutorial's best_model.pth (default: train its recipe first)",
    )
    # The script runs itself once more for this: only a fresh process shows what a photo needs.
    parser.add_argument("--photo", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def labelled_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Pictures below this folder whose name, or else whose folder's, begins with a number."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix.lower() in Image.registered_extensions():
            name = re.match(r"(\d+)(?=_|$)", file.stem) or re.match(r"\d+$", file.parent.name)
            if name:
                yield file, name[0]


def read_by_us(classifier: Classifier, file: Path) -> str:
    try:
        return classifier.read_picture(open_picture(file)).number
    except PictureError as error:
        return str(error)


def read_by_tutorial(network: MLP, file: Path) -> str:
    """As its predict script does: the whole picture in grey, shrunk to 28 x 28."""
    image = Image.open(file).convert("L").resize((28, 28))
    with torch.inference_mode():
        return str(int(network(tutorial.TRANSFORM(image)[None]).argmax()))


def compare(files: Iterable[tuple[Path, str, str]], classifier: Classifier, network: MLP) -> dict:
    """For each kind of picture how many were read right by us and by the tutorial."""
    table: dict[str, list[tuple[bool, bool]]] = {}
    for file, number, kind in files:
        ours, theirs = read_by_us(classifier, file), read_by_tutorial(network, file)
        table.setdefault(kind, []).append((ours == number, theirs == number))
        if ours != number:
            print(f"  {file.name}: {number} was read as {ours or 'nothing'}")
    return {kind: np.array(right) for kind, right in table.items()}


def save_pictures(
    pen: LabelledDrawings, folder: Path, count: int, kinds: Iterable[str], digits: int
) -> list[tuple[Path, str, str]]:
    made = pictures(pen, count, SEED, tuple(kinds), digits)
    return [
        (picture.save(folder, f"{digits}_{number}"), picture.number, picture.kind)
        for number, picture in enumerate(made)
    ]


def accuracy_bars(files: list[tuple[Path, str, str]], options: argparse.Namespace) -> list[bool]:
    data = load_dataset(options.data_dir)
    network = tutorial_network(options.tutorial_weights, data)
    table = compare(files, Classifier.load(), network)
    print(f"{'read right':24}{'ours':>12}{'tutorial':>12}")
    for kind, right in table.items():
        ours, theirs = right.sum(axis=0)
        print(f"{kind:24}{ours:>6} of {len(right):<3}{theirs:>6} of {len(right):<3}")
    ours, theirs = 100 * np.concatenate(list(table.values())).mean(axis=0)
    return [
        passes(f"{len(files)} pictures, ours, percent right", ours, "at least", OURS_BAR),
        passes("the same, the tutorial's script", theirs, "at most", TUTORIALS_BAR),
    ]


def numbers_bar(files: list[tuple[Path, str, str]]) -> bool:
    classifier = Classifier.load()
    right = [read_by_us(classifier, file) == number for file, number, _ in files]
    percent = 100 * float(np.mean(right))
    return passes("numbers of three digits, percent right", percent, "at least", NUMBERS_BAR)


def large_photo(photo: Path, to: Path) -> None:
    """The same photograph as a sensor of 12 megapixels has it, its own grain and all."""
    image = Image.open(photo).convert("RGB").resize(PHOTO_SIZE, Image.Resampling.BICUBIC)
    grain = Image.effect_noise(PHOTO_SIZE, 8).convert("RGB")
    Image.blend(image, grain, 0.05).save(to, quality=90)


def memory(figure: str) -> float:
    """MB, of the kernel's figures: VmRSS is what is held now, VmHWM the most that ever was."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{figure}:\s*(\d+) kB", status, re.MULTILINE)[1]) / 1024


def read_one_photo(photo: Path) -> None:
    """Prints processor seconds, seconds on the clock and extra megabytes of the first reading."""
    torch.set_num_threads(1)
    classifier = Classifier.load()
    classifier.read_picture(Image.new("L", (28, 28), 255))
    before = memory("VmRSS")
    processor, clock = time.process_time(), time.perf_counter()
    classifier.read_picture(open_picture(photo))
    seconds = time.process_time() - processor, time.perf_counter() - clock
    print(*seconds, memory("VmHWM") - before)


def timed(*arguments: str | Path) -> tuple[float, float, str]:
    """Processor seconds and seconds on the clock of a python process, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clock = time.perf_counter()
    result = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return processor, seconds, result.stdout


def speed_bars(photo: Path, folder: Path, options: argparse.Namespace) -> list[bool]:
    large_photo(photo, folder / "large.jpg")
    *_, printed = timed(__file__, "--photo", folder / "large.jpg")
    processor, clock, megabytes = map(float, printed.split())

    small = folder / "small"
    small.mkdir()
    for number, image in enumerate(load_dataset(options.data_dir).test.images[:SMALL_PICTURES]):
        Image.fromarray(image.numpy()).save(small / f"{number}.png")
    predict, predict_clock, printed = timed("-m", "mnist_mlp", "predict", small, "--json")
    assert len(io.StringIO(printed).readlines()) == SMALL_PICTURES

    evaluate, evaluate_clock, _ = timed(
        "-m", "mnist_mlp", "evaluate", "--data-dir", options.data_dir
    )
    print(
        f"On the clock: photo {clock:.2f} s, predict {predict_clock:.2f} s, "
        f"evaluate {evaluate_clock:.2f} s"
    )
    return [
        passes(
            "a photo of 12 megapixels, s from file to answer", processor, "under", PHOTO_SECONDS
        ),
        passes("the same, MB of extra memory", megabytes, "under", PHOTO_MEGABYTES),
        passes(
            "predict, small pictures a second, start included",
            SMALL_PICTURES / predict,
            "at least",
            SMALL_A_SECOND,
        ),
        passes(
            "evaluate on MNIST's test set, s, start included", evaluate, "under", EVALUATE_SECONDS
        ),
    ]


def main() -> int:
    options = parse_arguments()
    if options.photo:
        read_one_photo(options.photo)
        return 0
    if options.folder:
        files = [(file, number, "given") for file, number in labelled_files(options.folder)]
        if not files:
            sys.exit(f"{options.folder}: no picture here is named by its number.")
        return 0 if all(accuracy_bars(files, options)) else 1
    pen = read_drawings(options.data_dir / "pen" / "val.ndjson")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = save_pictures(pen, folder, options.count, KINDS, digits=1)
        numbers = save_pictures(pen, folder, NUMBERS, [*PHOTOGRAPHS, "paint"], digits=3)
        passed = [
            *accuracy_bars(files, options),
            numbers_bar(numbers),
            *speed_bars(files[1][0], folder, options),
        ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
