"""From a picture file to its ink: photographs, scans and drawings, in whatever colours.

A photograph is uneven where a drawing is not: light falls off, paper is ruled, ink is thin. So the
paper's brightness is estimated everywhere from the picture itself, ink is what stands out from it
along the one colour direction in which most does, and ruled lines, edges and specks are taken away.
What is left falls into digits, from left to right.
"""

import warnings
from dataclasses import dataclass
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_mlp.segment import group

MAX_FILE_BYTES = 10 * 10**6
MAX_PICTURE_PIXELS = 50 * 10**6
MIN_SIDE = 4
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
FILE_TOO_LARGE = f"The file is over {MAX_FILE_BYTES // 10**6} MB."
_TOO_LARGE = f"The picture is over {MAX_PICTURE_PIXELS // 10**6} megapixels."

# The longer side to which pictures are reduced first: a digit of a thirtieth of a page is then
# still larger than MNIST's. 4032, a phone's usual side, is four times a little more, and a JPEG is
# decoded at a quarter of its size at once.
WORKING_SIDE = 1000
# Where `open_picture` notes width and height before it reduces a picture.
FULL_SIZE = "full_size"
# The paper's brightness has no detail.
PAPER_SIDE = 256
# How wide a stroke may be, over the picture's shorter side: the limits that are tried in turn.
WIDEST_STROKES = (0.06, 0.12, 0.3)
# Of 255; on what is darker, chalk on a board, contrasts are no longer taken as a share of it.
MIN_BRIGHTNESS = 60
# A smaller picture shows nothing but its digit.
SMALL_SIDE = 64

# In units of 255: a border that varies less shows paper without light or grain on it, as drawn on
# a screen; the second is the least difference between ink and paper.
EVEN_PAPER = 6
MIN_CONTRAST = 32
# Fainter than a quarter of the ink is an edge's blur, or a speck that the paper's noise left over.
INK_THRESHOLD = 64
# Over the longer side, in pixels of the picture: less is a speck of dirt or the paper's grain.
SPECK = 0.02
# A shadow's edge is softer than a stroke's: that part of the sharpest, and less, is none of ink.
SOFT_EDGE = 0.35
# Of 255; on a transparent canvas brighter ink was meant for a dark page.
BRIGHT_INK = 200
# The largest connected pieces of ink are looked at, down to that part of the largest.
MAX_PIECES = 200
MIN_PIECE = 0.05
FAINT_CONTRAST = 0.08

# What `outlined` draws with: the page's orange, on whatever the paper's colour is.
OUTLINE = (249, 115, 22)


class PictureError(ValueError):
    """A picture cannot be used; the message is one sentence for its owner."""


Box = tuple[int, int, int, int]  # left, top, width, height


@dataclass(frozen=True)
class Ink:
    """What is written in a picture, white on black.

    `image` is (height, width) uint8, upright, at most 1,000 pixels large; `scale` is how many of
    the picture's pixels make one of its; `labels` (height, width) int32 holds the number of the
    digit that a pixel belongs to, from 1, or 0; `boxes` are the digits', in its pixels.
    """

    image: np.ndarray
    labels: np.ndarray
    boxes: tuple[Box, ...]
    scale: float

    def digit(self, index: int) -> np.ndarray:
        """One digit alone, cropped to its box."""
        left, top, width, height = self.boxes[index]
        part = np.s_[top : top + height, left : left + width]
        return np.where(self.labels[part] == index + 1, self.image[part], 0).astype(np.uint8)


def open_picture(file: Path | BinaryIO) -> Image.Image:
    """Open and decode a picture file, its size checked first; raises PictureError.

    A large JPEG is decoded at a half, a quarter or an eighth of its size.
    """
    try:
        if _size(file) > MAX_FILE_BYTES:
            raise PictureError(FILE_TOO_LARGE)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(file)
        check_picture(picture)
        picture.info[FULL_SIZE] = picture.size
        picture.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
        picture.load()
    except FileNotFoundError as error:
        raise PictureError("There is no such file.") from error
    except IsADirectoryError as error:
        raise PictureError("This is a folder, not a picture.") from error
    except UnidentifiedImageError as error:
        raise PictureError(
            "This is not a picture in a format that can be read, such as JPEG, PNG or WebP."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(_TOO_LARGE) from error
    except PictureError:
        raise
    except Exception as error:  # Pillow's decoders raise many types for a damaged file
        raise PictureError("The picture is damaged or cut short.") from error
    return picture


def _size(file: Path | BinaryIO) -> int:
    """In bytes; an open file is wound back to its start."""
    if isinstance(file, Path):
        return file.stat().st_size
    size = file.seek(0, SEEK_END)
    file.seek(0)
    return size


def check_picture(picture: Image.Image) -> None:
    """Refuse, from its header alone, what cannot be read; raises PictureError."""
    if min(picture.size) < MIN_SIDE:
        raise PictureError(f"The picture is only {picture.width} x {picture.height} pixels large.")
    # Phones put a preview behind a photograph, and scanners page behind page: those are read.
    if picture.format in ANIMATED and getattr(picture, "is_animated", False):
        raise PictureError("The picture is animated; save one of its frames and send that.")
    if picture.width * picture.height > MAX_PICTURE_PIXELS:
        raise PictureError(_TOO_LARGE)


def find_ink(picture: Image.Image) -> Ink:
    """The ink of a picture of any mode and size, and the digits that it makes; perhaps none."""
    size = max(picture.info.get(FULL_SIZE, picture.size))
    colours = upright(picture)
    scale = size / max(colours.shape[:2])
    even = _even_paper(colours)
    ink = _ink_on_even_paper(colours, *even) if even else _ink_on_uneven_paper(colours)
    labels, boxes = _digits(ink)
    return Ink(ink, labels, boxes, scale)


def outlined(picture: Image.Image, ink: np.ndarray, side: int) -> Image.Image:
    """The picture upright, "RGB", at most `side` pixels large, with a line around its ink.

    `ink` is white on black, as `find_ink` found it in this picture. What is small is enlarged by a
    whole number, and the line runs outside, so that thin strokes are not covered by it.
    """
    import cv2

    colours = upright(picture)
    factor = side / max(colours.shape)
    if factor > 1:
        factor = int(factor)
    size = [max(1, round(length * factor)) for length in colours.shape[1::-1]]
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    colours = cv2.resize(colours, size, interpolation=method)
    mask = (cv2.resize(ink, size, interpolation=method) >= 128).astype(np.uint8)
    mask = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(colours, contours, -1, OUTLINE, 2)
    return Image.fromarray(colours)


def upright(picture: Image.Image) -> np.ndarray:
    """(height, width, 3) uint8, upright, reduced, transparency laid on paper."""
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    factor = max(picture.size) // WORKING_SIDE
    if picture.mode == "P" or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if factor > 1:
        picture = picture.reduce(factor)
    if max(picture.size) > WORKING_SIDE:
        picture = ImageOps.contain(picture, (WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, _paper_behind(picture))
        picture = Image.alpha_composite(paper, picture)
    return np.asarray(picture.convert("RGB"))


def _paper_behind(canvas: Image.Image) -> str:
    """White behind a transparent canvas, "RGBA", unless that would hide what is drawn on it."""
    grey, alpha = (np.asarray(layer, np.float32) for layer in canvas.convert("LA").split())
    brightness = (grey * alpha).sum() / max(float(alpha.sum()), 1.0)
    return "black" if brightness > BRIGHT_INK else "white"


def _eight_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture, np.float32)
    # 16-bit scans reach 65,535; Pillow keeps 8-bit values in these modes too.
    if values.max(initial=0) > 255:
        values = values / 257
    eight = Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
    eight.info = picture.info
    return eight


def _even_paper(colours: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The paper's colour and how far its border strays from it; None for a photograph's paper."""
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    border = border.astype(np.float32)
    paper = np.median(border, axis=0)
    noise = float(np.quantile(np.abs(border - paper).max(axis=1), 0.95))
    if noise > EVEN_PAPER and max(colours.shape) > SMALL_SIDE:
        return None
    return paper, noise


def _ink_on_even_paper(colours: np.ndarray, paper: np.ndarray, noise: float) -> np.ndarray:
    """Every difference from the paper is ink; the greatest is full ink."""
    step = 1 + max(colours.shape) // PAPER_SIDE
    direction = _ink_direction(colours[::step, ::step] - paper)
    ink = colours.astype(np.float32) @ direction - paper @ direction
    contrast = ink.max() - noise
    if contrast < MIN_CONTRAST:
        return np.zeros(ink.shape, np.uint8)
    return ((ink - noise).clip(0) * (255 / contrast)).round().astype(np.uint8)


def _ink_direction(deviation: np.ndarray) -> np.ndarray:
    """Where ink differs most from paper: (3,) float32, |red| + |green| + |blue| = 1.

    The principal axis of the deviations (height, width, 3) from the paper, pointing to the side on
    which the few and strong ones lie, be the ink darker or lighter.
    """
    red, green, blue = np.abs(np.moveaxis(deviation, 2, 0))
    strength = np.maximum(np.maximum(red, green), blue)
    strong = deviation[strength >= max(strength.max() / 3, 1)].astype(np.float32)
    _, axes = np.linalg.eigh(strong.T @ strong)
    axis = axes[:, -1]
    if ((strong @ axis) ** 3).sum() < 0:
        axis = -axis
    return (axis / np.abs(axis).sum()).astype(np.float32)


def _ink_on_uneven_paper(colours: np.ndarray) -> np.ndarray:
    """The ink of the narrowest strokes among those with the sharpest edges.

    Nothing that is wider than a stroke is ink. So the narrower strokes may be, the fewer shadows
    pass for them; that the sharp edges are still there, and no stroke close to the limit, shows
    that the limit is not too narrow.
    """
    values, brightness = _values(colours)
    widest = _stand_out(values, brightness, WIDEST_STROKES[-1])
    for width in WIDEST_STROKES[:-1]:
        narrow = _stand_out(values, brightness, width)
        limit = width * min(narrow.ink.shape)
        if (
            narrow.sharpness >= 0.7 * widest.sharpness
            and 0 < 1.5 * stroke_width(narrow.ink) <= limit
        ):
            return narrow.ink
    return widest.ink


@dataclass(frozen=True)
class _StandOut:
    """What stands out from the paper: (height, width) uint8, and how steep its edges are."""

    ink: np.ndarray
    sharpness: float  # over the paper's brightness, a pixel


def _stand_out(values: np.ndarray, brightness: np.ndarray, widest_stroke: float) -> _StandOut:
    import cv2

    paper = _paper(_small(values), widest_stroke)
    paper = cv2.resize(paper, values.shape[::-1], interpolation=cv2.INTER_LINEAR)
    contrast = (paper - values) / brightness
    noise = 1.5 * float(np.median(np.abs(contrast[::3, ::3])))
    floor = max(FAINT_CONTRAST, 4 * noise)
    contrast[_ruled_lines(contrast > floor)] = 0
    strong = contrast[contrast > floor]
    if len(strong) < 10:
        return _StandOut(np.zeros(contrast.shape, np.uint8), 0.0)
    # Weighted towards the strongest, lest faint lines or shadows that are larger set the level.
    level = float((strong**3).sum() / (strong**2).sum())
    kept, sharpness = _strokes_only(contrast, level, floor)
    kept = cv2.dilate(kept, np.ones((3, 3), np.uint8))
    low = max(noise, 0.25 * level)
    ink = ((contrast - low) / (0.85 * level - low)).clip(0, 1) * 255
    return _StandOut(np.where(kept, ink, 0).round().astype(np.uint8), sharpness)


def stroke_width(ink: np.ndarray) -> float:
    """How wide the strokes of white ink on black are on average, in pixels; 0 without ink.

    Across a stroke of width w the distance to its edge is w / 4 in the mean.
    """
    import cv2

    mask = cv2.copyMakeBorder(
        (ink >= 128).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0
    )
    if not mask.any():
        return 0.0
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return 4 * (float(distance[mask > 0].mean()) - 0.5)


def _small(image: np.ndarray) -> np.ndarray:
    import cv2

    height, width = image.shape[:2]
    factor = PAPER_SIDE / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _values(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture along the one axis on which ink is darkest, and the brightness around.

    Both (height, width) float32, in the colours' units.
    """
    import cv2

    small = _small(colours)
    around = cv2.medianBlur(small, 2 * (min(small.shape[:2]) // 5) + 1)
    direction = _ink_direction(small.astype(np.float32) - around)
    values = -(colours.astype(np.float32) @ direction)
    brightness = cv2.resize(around.max(axis=2), colours.shape[1::-1]).astype(np.float32)
    return values, np.maximum(brightness, MIN_BRIGHTNESS)


def _paper(values: np.ndarray, widest_stroke: float) -> np.ndarray:
    """The paper under the ink: what is left once nothing narrower than a stroke is dark.

    A morphological closing keeps the edges of shadows and tables; the mean of the paper around
    takes away the closing's liking for the brightest grains.
    """
    import cv2

    side = 2 * round(widest_stroke * min(values.shape) / 2) + 1
    # What reaches the border goes on behind it.
    beyond = cv2.copyMakeBorder(cv2.medianBlur(values, 3), *[side] * 4, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(beyond, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    closed = closed[side:-side, side:-side]
    depth = closed - values
    noise = np.median(depth)
    is_paper = (depth <= noise + max(6.0, 2 * noise)).astype(np.float32)
    spread = (0, 0), 0.04 * max(values.shape)
    weight = cv2.GaussianBlur(is_paper, *spread)
    mean = cv2.GaussianBlur(values * is_paper, *spread) / np.maximum(weight, 1e-3)
    paper = np.where(weight > 0.02, np.minimum(closed, mean), closed)
    # Enlarged, an edge becomes a ramp; so let it lie on its bright side.
    return cv2.erode(paper, np.ones((3, 3), np.uint8))


def _ruled_lines(mask: np.ndarray) -> np.ndarray:
    """(height, width) bool: the thin lines that cross the page, but not the strokes across them."""
    import cv2

    mask = mask.astype(np.uint8)
    side = max(mask.shape)
    thick = max(6, round(0.008 * side))
    thin = mask & ~cv2.dilate(
        cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8)),
        np.ones((3, 3), np.uint8),
    )
    lines = np.zeros_like(mask)
    found = cv2.HoughLinesP(thin, 1, np.pi / 360, side // 8, None, side // 4, side // 40)
    if found is None:
        return lines.astype(bool)
    found = found.reshape(-1, 4)
    extent = np.abs(found[:, 2:] - found[:, :2])
    for lying in (True, False):
        segments = found[(extent[:, 0] >= extent[:, 1]) == lying]
        if not _are_ruling(segments, lying, mask.shape):
            continue
        band = np.zeros_like(mask)
        for x0, y0, x1, y1 in segments.tolist():
            cv2.line(band, *_to_the_border(x0, y0, x1, y1, mask.shape, lying), 1, thick - 1)
        run = (1, thick + 2) if lying else (thick + 2, 1)
        across = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones(run[::-1], np.uint8))
        lines |= band & mask & ~across
    return lines.astype(bool)


def _are_ruling(segments: np.ndarray, lying: bool, shape: tuple[int, int]) -> bool:
    """Whether they are at least three side by side, or cross nearly the whole page."""
    if not len(segments):
        return False
    along, across = (0, 1) if lying else (1, 0)
    middles = np.sort((segments[:, across] + segments[:, across + 2]) / 2)
    distinct = 1 + int((np.diff(middles) > 0.015 * max(shape)).sum())
    longest = np.abs(segments[:, along + 2] - segments[:, along]).max()
    return distinct >= 3 or longest > 0.8 * shape[1 - along]


def _to_the_border(
    x0: int, y0: int, x1: int, y1: int, shape: tuple[int, int], lying: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = shape
    if lying:
        slope = (y1 - y0) / (x1 - x0)
        return (0, round(y0 - slope * x0)), (width, round(y0 + slope * (width - x0)))
    slope = (x1 - x0) / (y1 - y0)
    return (round(x0 - slope * y0), 0), (round(x0 + slope * (height - y0)), height)


def _strokes_only(contrast: np.ndarray, level: float, floor: float) -> tuple[np.ndarray, float]:
    """(height, width) uint8, 1 where a stroke is, and how steep the strokes' edges are.

    A stroke is connected, in part strong, sharp, and neither a speck nor cut off by the border.
    """
    import cv2

    mask = (contrast > max(floor, 0.35 * level)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    strong = np.bincount(labels[contrast > 0.6 * level], minlength=count) > 0
    height, width = mask.shape
    left, top, wide, high, _ = stats.T
    extent = np.maximum(wide, high)
    at_border = (left <= 1) | (top <= 1) | (left + wide >= width - 1) | (top + high >= height - 1)
    kept = strong & (extent >= SPECK * max(height, width))
    kept[0] = False
    edge = (mask > 0) & (cv2.erode(mask, np.ones((3, 3), np.uint8)) == 0)
    slopes, lengths = _edge_slopes(contrast, edge, labels, count)
    inside = kept & ~at_border
    if inside.any() and extent[inside].max() >= 3 * SPECK * max(height, width):
        kept = inside
    if not kept.any():
        return kept.astype(np.uint8)[labels], 0.0
    kept &= extent >= 0.1 * extent[kept].max()
    kept &= slopes >= SOFT_EDGE * slopes[kept].max()
    sharpness = float((slopes * lengths)[kept].sum() / lengths[kept].sum())
    return kept.astype(np.uint8)[labels], sharpness


def _edge_slopes(
    contrast: np.ndarray, edge: np.ndarray, labels: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The mean slope along each piece's edge, a pixel, and the edge's length: (count,) each."""
    import cv2

    x, y = (cv2.Sobel(contrast, cv2.CV_32F, *axis, scale=1 / 8)[edge] for axis in ((1, 0), (0, 1)))
    lengths = np.bincount(labels[edge], minlength=count)
    slopes = np.bincount(labels[edge], weights=np.hypot(x, y), minlength=count)
    return slopes / np.maximum(lengths, 1), lengths


def _digits(ink: np.ndarray) -> tuple[np.ndarray, tuple[Box, ...]]:
    """Which pixel belongs to which digit, and the digits' boxes, from left to right."""
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (ink >= INK_THRESHOLD).astype(np.uint8), connectivity=8
    )
    extent = np.maximum(stats[1:, 2], stats[1:, 3])
    if not len(extent):
        return labels, ()
    pieces = 1 + np.argsort(-extent, kind="stable")[:MAX_PIECES]
    pieces = pieces[extent[pieces - 1] >= MIN_PIECE * extent.max()]
    digits = group([_outline(labels, stats[piece], piece) for piece in pieces.tolist()])
    digit_of_piece = np.zeros(len(stats), np.int32)
    boxes = []
    for number, members in enumerate(digits, start=1):
        members = pieces[members]
        digit_of_piece[members] = number
        left, top = stats[members, 0].min(), stats[members, 1].min()
        right = (stats[members, 0] + stats[members, 2]).max()
        bottom = (stats[members, 1] + stats[members, 3]).max()
        boxes.append((int(left), int(top), int(right - left), int(bottom - top)))
    return digit_of_piece[labels], tuple(boxes)


def _outline(labels: np.ndarray, stats: np.ndarray, number: int) -> np.ndarray:
    """(2 * height, 2) int, x and y: the first and the last pixel of this piece in each row."""
    left, top, width, height = stats[:4].tolist()
    part = labels[top : top + height, left : left + width] == number
    first = left + part.argmax(axis=1)
    last = left + width - 1 - part[:, ::-1].argmax(axis=1)
    rows = np.arange(top, top + height)
    return np.stack([np.concatenate([first, last]), np.tile(rows, 2)], axis=1)
