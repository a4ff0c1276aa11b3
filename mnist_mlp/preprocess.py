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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from mnist_mlp.pictures import INK_THRESHOLD, Box, find_ink, stroke_width
from mnist_mlp.segment import group

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

# In pictures strokes between these stay as they are: nine of ten of MNIST's training digits lie
# there, measured by `stroke_width`.
THINNEST_STROKE, THICKEST_STROKE = 1.9, 4.0
# The longer side at which the strokes of a picture's digit are measured and traced, in pixels.
TRACING_SIDE = 120

# Pillow draws without anti-aliasing, on whole pixels: a pad unit is two of them, and the reduction
# to 20 pixels then smooths the edges.
PIXELS_PER_UNIT = 2


class DrawingError(ValueError):
    """What was handed over is not a drawing; the message is one sentence for its author."""


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
PICTURE_CAPTIONS = ("The ink that was found", *STAGE_CAPTIONS[1:])


@dataclass(frozen=True)
class Stages:
    """What happens to a drawing, step by step; all images are uint8, (height, width)."""

    white_on_black: np.ndarray
    box: Box  # left, top, width, height of the digit in pixels of the drawing or the picture
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


def stages_of_drawing(drawing: Drawing) -> Stages | None:
    """Walk a drawing to 28 x 28; None when nothing is drawn."""
    if not drawing.strokes:
        return None
    return _stages(255 - render(drawing), 255 - render(_traced_with_mnist_pen(drawing)))


def digits_of_drawing(drawing: Drawing) -> tuple[Drawing, ...]:
    """The drawing's strokes a digit, from left to right."""
    if len(drawing.strokes) < 2:
        return (drawing,) if drawing.strokes else ()
    digits = group([_dense(stroke) for stroke in drawing.strokes])
    return tuple(
        replace(drawing, strokes=tuple(drawing.strokes[i] for i in digit)) for digit in digits
    )


def _dense(stroke: np.ndarray) -> np.ndarray:
    """The stroke with a point for each of its pad units, (n, 2) float32."""
    steps = np.abs(np.diff(stroke, axis=0)).max(axis=1, initial=0)
    places = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.linspace(0, places[-1], math.ceil(places[-1]) + 1)
    return np.stack([np.interp(at, places, stroke[:, axis]) for axis in (0, 1)], axis=1)


def stages_of_picture(picture: Image.Image) -> tuple[Stages, ...]:
    """Walk the digits of a picture of any mode and size to 28 x 28, from left to right."""
    ink = find_ink(picture)
    stages = []
    for index, box in enumerate(ink.boxes):
        cropped = _with_mnist_stroke(ink.digit(index))
        scaled = _scale(cropped)
        in_picture = tuple(round(length * ink.scale) for length in box)
        stages.append(Stages(ink.image, in_picture, cropped, scaled, _centre(scaled)))
    return tuple(stages)


def _with_mnist_stroke(digit: np.ndarray) -> np.ndarray:
    """The digit (height, width) uint8 with strokes as wide, beside it, as MNIST's.

    Strokes that are among MNIST's already stay as they are.
    """
    import cv2

    factor = TRACING_SIDE / max(digit.shape)
    size = [max(1, round(length * factor)) for length in digit.shape[::-1]]
    enlarging = cv2.INTER_LINEAR if factor > 1 else cv2.INTER_AREA
    traced = cv2.resize(digit, size, interpolation=enlarging)
    unit = TRACING_SIDE / DIGIT_SIDE
    width = stroke_width(traced) / unit
    if width < THINNEST_STROKE:
        traced = _thickened(traced, round(_missing_width(width) * unit))
    elif width > THICKEST_STROKE:
        traced = _thinned(traced, (width - MNIST_STROKE) * unit / 2)
    else:
        return digit
    left, top, width, height = _ink_box(traced)
    return traced[top : top + height, left : left + width]


def _missing_width(width: float) -> float:
    """By how much to thicken strokes of this width; the digit's box grows with them."""
    path = DIGIT_SIDE - width
    return path * MNIST_STROKE / (DIGIT_SIDE - MNIST_STROKE) - width


def _thickened(digit: np.ndarray, by: int) -> np.ndarray:
    import cv2

    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (by + 1, by + 1))
    return cv2.dilate(cv2.copyMakeBorder(digit, *[by] * 4, cv2.BORDER_CONSTANT, value=0), pen)


def _thinned(digit: np.ndarray, by: float) -> np.ndarray:
    """Cut back by that much on all sides, but never through a stroke: its middle stays."""
    import cv2

    mask = cv2.copyMakeBorder(
        (digit >= 128).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0
    )
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    middle = (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (mask > 0)
    radius = round(TRACING_SIDE * MNIST_STROKE / DIGIT_SIDE / 3)
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    middle = cv2.dilate(middle.astype(np.uint8), pen)
    thin = ((distance > by) | (middle > 0)) & (mask > 0)
    return cv2.GaussianBlur(thin.astype(np.uint8) * 255, (5, 5), 0)


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


def _stages(white_on_black: np.ndarray, traced: np.ndarray) -> Stages | None:
    box = _ink_box(traced)
    if box is None:
        return None
    left, top, width, height = box
    cropped = traced[top : top + height, left : left + width]
    scaled = _scale(cropped)
    return Stages(white_on_black, box, cropped, scaled, _centre(scaled))


def _ink_box(white_on_black: np.ndarray) -> Box | None:
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
