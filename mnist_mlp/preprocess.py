"""From a drawing or a picture to the 28 x 28 image that the network was trained on.

MNIST's digits were cropped, scaled so that the longer side fills 20 pixels with the aspect ratio
kept and the edges anti-aliased, and placed with their centre of mass in the middle of 28 x 28
(LeCun et al. 1998, section III-A). The same is done here, and every stage is kept to be shown.

MNIST's pens were also much alike, and a pad's are not. A drawing's strokes are known, so they are
traced once more with a pen as wide, beside the digit, as MNIST's: neither the size of a drawing nor
its brush then matters. Measured on digits drawn anywhere, that takes a network trained the usual
way from 89 % to 97 %.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

PAD_SIZE = 256
PAD_MARGIN = 256  # a stroke that leaves the pad goes on outside; nobody's hand goes further
MAX_STROKES = 200
MAX_POINTS = 20_000
DEFAULT_BRUSH = 14.0
MIN_BRUSH, MAX_BRUSH = 1.0, 64.0

SIDE = 28
DIGIT_SIDE = 20
# All 60,000 training images of MNIST have their centre of mass within half a pixel of this column
# and row, counted from 0.
MIDDLE = 14

# Pen strokes that wide, where the digit's longer side is 20, have the mean ink of MNIST's: 33.9 of
# 255 over pen/train.ndjson against 33.3 over MNIST's training images.
MNIST_STROKE = 2.4

# Pillow draws without anti-aliasing, on whole pixels: a pad unit is two of them, and the reduction
# to 20 pixels then smooths the edges.
PIXELS_PER_UNIT = 2
MAX_FILE_BYTES = 10 * 10**6
MAX_PICTURE_PIXELS = 50 * 10**6
_TOO_LARGE = f"The picture is over {MAX_PICTURE_PIXELS // 10**6} megapixels."

# Fainter than a quarter of the ink is an edge's blur, or a speck that the paper's noise left over.
INK_THRESHOLD = 64
MIN_CONTRAST = 32


class DrawingError(ValueError):
    """What was handed over is not a drawing; the message is one sentence for its author."""


class PictureError(ValueError):
    """A picture cannot be used; the message is one sentence for its owner."""


@dataclass(frozen=True)
class Drawing:
    """Strokes as a pad records them: each (n, 2) float32, x and y in pad units, y down."""

    strokes: tuple[np.ndarray, ...]
    brush: float = DEFAULT_BRUSH

    @classmethod
    def from_lists(cls, drawing: Any, brush: Any = DEFAULT_BRUSH) -> "Drawing":
        """Check and take over strokes in the manner of Quick, Draw!: `[[[x, ...], [y, ...]], ...]`.

        Raises DrawingError unless there are at most 200 strokes and 20,000 points, all of them
        finite numbers on the pad or near it, and the brush is 1 to 64 pad units wide.
        """
        if not _is_number(brush) or not MIN_BRUSH <= brush <= MAX_BRUSH:
            raise DrawingError(f"The brush must be {MIN_BRUSH:.0f} to {MAX_BRUSH:.0f} units wide.")
        if not isinstance(drawing, list):
            raise DrawingError("A drawing is a list of strokes.")
        if len(drawing) > MAX_STROKES:
            raise DrawingError(f"A drawing has at most {MAX_STROKES} strokes.")
        return cls(tuple(_strokes(drawing)), float(brush))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _strokes(drawing: list) -> list[np.ndarray]:
    strokes, points = [], 0
    for stroke in drawing:
        if not isinstance(stroke, list) or len(stroke) < 2:
            raise DrawingError("A stroke is a list of x and a list of y.")
        xs, ys = stroke[:2]
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
            raise DrawingError("A stroke is a list of x and a list of y of the same length.")
        points += len(xs)
        if points > MAX_POINTS:
            raise DrawingError(f"A drawing has at most {MAX_POINTS:,} points.")
        if not all(map(_is_number, xs)) or not all(map(_is_number, ys)):
            raise DrawingError("The points of a stroke must be finite numbers.")
        if xs:
            strokes.append(np.array((xs, ys), np.float32).T)
    if any(s.min() < -PAD_MARGIN or s.max() > PAD_SIZE + PAD_MARGIN for s in strokes):
        raise DrawingError(f"A stroke lies too far outside the {PAD_SIZE} x {PAD_SIZE} pad.")
    return strokes


STAGE_CAPTIONS = (
    "Your ink on white",
    "Inverted, like MNIST",
    "Cropped, pen width as in MNIST",
    "Longer side scaled to 20 pixels",
    "Centre of mass in the middle of 28 by 28",
)


@dataclass(frozen=True)
class Stages:
    """What happens to a drawing, step by step; all images are uint8, (height, width)."""

    white_on_black: np.ndarray
    box: tuple[int, int, int, int]  # left, top, width, height of the ink in pixels
    cropped: np.ndarray  # to that box, and of a drawing as traced with MNIST's pen
    scaled: np.ndarray  # the longer side is 20
    centred: np.ndarray  # (28, 28)

    @property
    def black_on_white(self) -> np.ndarray:
        return 255 - self.white_on_black

    @property
    def images(self) -> tuple[np.ndarray, ...]:
        """All five in their order, as STAGE_CAPTIONS names them."""
        return (
            self.black_on_white,
            self.white_on_black,
            self.cropped,
            self.scaled,
            self.centred,
        )


def open_picture(path: Path) -> Image.Image:
    """Open and decode a picture file, its size checked first; raises PictureError."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise PictureError(f"The file is over {MAX_FILE_BYTES // 10**6} MB.")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(path)
        check_picture_size(picture)
        picture.load()
    except FileNotFoundError as error:
        raise PictureError("There is no such file.") from error
    except IsADirectoryError as error:
        raise PictureError("This is a folder, not a picture.") from error
    except UnidentifiedImageError as error:
        raise PictureError("This is not a picture in a format that can be read.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(_TOO_LARGE) from error
    except PictureError:
        raise
    except Exception as error:  # Pillow's decoders raise many types for a damaged file
        raise PictureError("The picture is damaged or cut short.") from error
    return picture


def check_picture_size(picture: Image.Image) -> None:
    """Raises PictureError for a picture of over 50 megapixels; reads its header alone."""
    if picture.width * picture.height > MAX_PICTURE_PIXELS:
        raise PictureError(_TOO_LARGE)


def stages_of_drawing(drawing: Drawing) -> Stages | None:
    """Walk a drawing to 28 x 28; None when nothing is drawn."""
    if not drawing.strokes:
        return None
    return _stages(255 - render(drawing), 255 - render(_traced_with_mnist_pen(drawing)))


def stages_of_picture(picture: Image.Image) -> Stages | None:
    """Walk a picture of any mode and size to 28 x 28; None when it shows no ink.

    Its border decides whether it is dark ink on light or light ink on dark.
    """
    ink = _ink(_grey(picture))
    return _stages(ink, ink)


def render(drawing: Drawing) -> np.ndarray:
    """Black ink on white, (512, 512) uint8: two pixels a pad unit, lines with round ends."""
    side = PAD_SIZE * PIXELS_PER_UNIT
    image = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(image)
    radius = drawing.brush * PIXELS_PER_UNIT / 2
    for stroke in drawing.strokes:
        points = [(x, y) for x, y in (stroke * PIXELS_PER_UNIT).tolist()]
        draw.line(points, fill=0, width=round(2 * radius))
        for x, y in points:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return np.asarray(image)


def _traced_with_mnist_pen(drawing: Drawing) -> Drawing:
    points = np.concatenate(drawing.strokes).clip(0, PAD_SIZE)
    longer_side = float(np.ptp(points, axis=0).max())
    if longer_side <= drawing.brush:
        return drawing  # a dot has a width, but no path to trace
    brush = longer_side * MNIST_STROKE / (DIGIT_SIDE - MNIST_STROKE)
    return replace(drawing, brush=brush)


def _grey(picture: Image.Image) -> np.ndarray:
    """Luminance, (height, width) float32 in [0, 255], upright, transparency laid on white."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture, np.float32)
        # 16-bit scans reach 65,535; Pillow keeps 8-bit values in these modes too.
        return values / 257 if values.max(initial=0) > 255 else values
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    return np.asarray(picture.convert("RGB").convert("L"), np.float32)


def _ink(grey: np.ndarray) -> np.ndarray:
    """White ink on black, uint8, whatever the colours were; black all over when there is no ink.

    The border shows the paper: its median is the paper's grey and its spread the paper's noise.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = np.median(border)
    ink = grey - paper if paper < 128 else paper - grey
    noise = np.quantile(np.abs(border - paper), 0.95)
    contrast = ink.max() - noise
    if contrast < MIN_CONTRAST:
        return np.zeros(grey.shape, np.uint8)
    return ((ink - noise).clip(0) * (255 / contrast)).round().astype(np.uint8)


def _stages(white_on_black: np.ndarray, traced: np.ndarray) -> Stages | None:
    box = _ink_box(traced)
    if box is None:
        return None
    left, top, width, height = box
    cropped = traced[top : top + height, left : left + width]
    scaled = _scale(cropped)
    return Stages(white_on_black, box, cropped, scaled, _centre(scaled))


def _ink_box(white_on_black: np.ndarray) -> tuple[int, int, int, int] | None:
    ink = white_on_black >= INK_THRESHOLD
    columns, rows = ink.any(axis=0).nonzero()[0], ink.any(axis=1).nonzero()[0]
    if not len(columns):
        return None
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def _scale(cropped: np.ndarray) -> np.ndarray:
    height, width = cropped.shape
    factor = DIGIT_SIDE / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(cropped).resize(size, Image.Resampling.BOX))


def _centre(scaled: np.ndarray) -> np.ndarray:
    height, width = scaled.shape
    mass = scaled.sum(dtype=np.float64)
    x = (scaled.sum(axis=0) @ np.arange(width)) / mass
    y = (scaled.sum(axis=1) @ np.arange(height)) / mass
    left = min(max(round(MIDDLE - x), 0), SIDE - width)
    top = min(max(round(MIDDLE - y), 0), SIDE - height)
    centred = np.zeros((SIDE, SIDE), np.uint8)
    centred[top : top + height, left : left + width] = scaled
    return centred


def images_of_drawings(drawings: Sequence[Drawing]) -> np.ndarray:
    """(n, 28, 28) uint8: what the network sees of each drawing; black where nothing is drawn."""
    images = np.zeros((len(drawings), SIDE, SIDE), np.uint8)
    for image, drawing in zip(images, drawings, strict=True):
        if stages := stages_of_drawing(drawing):
            image[:] = stages.centred
    return images
