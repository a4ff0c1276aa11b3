"""What `python -m mnist_mlp predict` does: many pictures in, a line or a JSON object for each."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from mnist_mlp.classify import Classifier, DigitReading, Reading
from mnist_mlp.model import SHIPPED_WEIGHTS
from mnist_mlp.pictures import PictureError, open_picture, upright

# More pictures make a figure too small to see and too large to draw.
MOST_IN_FIGURE = 30


def predict_files(options: argparse.Namespace) -> bool:
    """Read all files and folders of the options and print what came of each; whether all went well.

    Raises WeightsError, and OSError where the figure cannot be written.
    """
    classifier = Classifier.load(options.weights or SHIPPED_WEIGHTS)
    files = list(_pictures_in(options.files))
    all_read, panels = True, []
    # disable=None: without a terminal there is nobody to watch.
    with tqdm(files, unit=" pictures", disable=None, delay=0.2, leave=False) as bar:
        for file in bar:
            picture, reading, error = _read(classifier, file, options.top)
            all_read &= error is None
            if options.json:
                bar.write(json.dumps(_as_json(file, reading, error)), file=sys.stdout)
            elif error:
                bar.write(f"{file}: {error}", file=sys.stderr)
            else:
                bar.write(f"{file}: {_in_words(reading)}", file=sys.stdout)
            sys.stdout.flush()
            if options.save and picture and len(panels) < MOST_IN_FIGURE:
                panels.append((file.name, upright(picture), reading))
    if options.save and panels:
        from mnist_mlp.plots import predictions

        predictions(panels).savefig(options.save, dpi=120)
    return all_read


def _pictures_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files as they are; of a folder all pictures in it and below, by name."""
    suffixes = Image.registered_extensions()
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = [
            file
            for file in sorted(path.rglob("*"))
            if file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file()
        ]
        yield from inside or [path]


def _read(
    classifier: Classifier, file: Path, top: int
) -> tuple[Image.Image | None, Reading, str | None]:
    try:
        if file.is_dir():
            raise PictureError("There is no picture in this folder.")
        picture = open_picture(file)
        reading = classifier.read_picture(picture, top)
    except PictureError as error:
        return None, Reading(), str(error)
    return picture, reading, None if reading.digits else "nothing drawn"


def _as_json(file: Path, reading: Reading, error: str | None) -> dict[str, Any]:
    return {
        "file": str(file),
        "number": reading.number,
        "digits": [
            {
                "box": list(digit.stages.box),
                "sure": digit.is_sure,
                "top": [
                    {"digit": guess.digit, "probability": guess.probability}
                    for guess in digit.guesses
                ],
            }
            for digit in reading.digits
        ],
        "error": error,
    }


def _in_words(reading: Reading) -> str:
    number = f"{reading.number}: " if len(reading.digits) > 1 else ""
    return number + " | ".join(map(_digit_in_words, reading.digits))


def _digit_in_words(digit: DigitReading) -> str:
    guesses = ", ".join(f"{guess.digit} ({guess.probability:.1%})" for guess in digit.guesses)
    return guesses if digit.is_sure else f"not sure this is a digit; perhaps {guesses}"
