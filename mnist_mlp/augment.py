"""Random distortions: the many ways in which one and the same digit is written."""

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_mlp.preprocess import DIGIT_SIDE, MIDDLE, PAD_SIZE, SIDE, Drawing

ELASTIC_GRID = 6  # knots a side: neighbouring parts of a stroke move together
FAINTEST_INK = 32 / 255  # fainter is the blur of an edge, and no part of a digit's extent
IMAGES_AT_A_TIME = 1_000  # whose intermediate results fit a processor's cache best

MIDDLING_SIZE = 0.6  # of the pad's side
SIZES = (0.25, 0.85)
JITTER = 0.03


@dataclass(frozen=True)
class Distortions:
    """How far an image may be distorted; each image draws its own amounts, evenly below these."""

    rotation: float = 18.0  # degrees, either way
    shear: float = 0.25
    stretch: float = 0.15  # width by exp(this) and height by its inverse, or the reverse
    elastic: float = 1.2  # pixels, the standard deviation of the knots' displacement
    thickness: float = 0.35  # of the way to a stroke that is two pixels wider, or thinner
    size: float = 0.04  # of the digit's 20 pixels
    shift: float = 0.5  # pixels
    erasure: float = 0.1  # the share of images that lose a patch of 2 to 4 pixels


NONE = Distortions(*[0.0] * len(astuple(Distortions())))


def distort(
    images: Tensor, generator: torch.Generator, distortions: Distortions | None = None
) -> Tensor:
    """Distort each image by its own random amounts, and lay it as MNIST's digits lie.

    images: (n, 28, 28) uint8, and so is the result; with `NONE` it is the images themselves. The
    generator lives on the images' device. The elastic field is Simard et al.'s (2003), from a
    coarse grid; after it the longer side is brought back to 20 pixels and the centre of mass to
    the middle, since `preprocess` does so to whatever is drawn.
    """
    distortions = distortions or Distortions()
    if distortions == NONE or not len(images):
        return images
    parts = images.split(IMAGES_AT_A_TIME)
    return torch.cat([_distorted(part, generator, distortions) for part in parts])


def _distorted(images: Tensor, generator: torch.Generator, limits: Distortions) -> Tensor:
    n = len(images)

    def uniform(limit: float, *shape: int) -> Tensor:
        numbers = torch.rand(n, *shape, generator=generator, device=images.device)
        return (2 * numbers - 1) * limit

    ink = _thickened(images.float().div(255)[:, None], uniform(limits.thickness, 1, 1, 1))
    matrices = _matrices(
        uniform(math.radians(limits.rotation)), uniform(limits.shear), uniform(limits.stretch)
    )
    bumps = _elastic_field(images, generator, limits.elastic)
    pixels = _pixels(images.device)
    warped = _sampled(ink, pixels @ matrices + bumps, "bilinear")
    scale, middle = _extent(warped)
    scale = scale * (1 + uniform(limits.size))
    middle = middle + uniform(limits.shift, 2)
    laid = (pixels * scale[:, None, None] + middle[:, None]) @ matrices + bumps
    result = _sampled(ink, laid, "bicubic").clamp(0, 1)
    # A thinner stroke is still as white in its middle: MNIST knows no pale digits.
    result = result * (ink.amax((2, 3)) / result.amax((1, 2))[:, None].clamp_min(0.1))[:, :, None]
    return _erased(result, generator, limits.erasure).clamp(0, 1).mul(255).round().byte()


def _thickened(ink: Tensor, amounts: Tensor) -> Tensor:
    """Part of the way to the image whose strokes are a pixel wider, or thinner, all around."""
    wider, thinner = _neighbours(ink, torch.maximum), _neighbours(ink, torch.minimum)
    return ink + torch.where(amounts > 0, amounts * (wider - ink), amounts * (ink - thinner))


def _neighbours(ink: Tensor, extreme: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The extreme of each pixel and its eight neighbours, much faster than max_pool2d's."""
    for axis in (2, 3):
        padded = F.pad(ink, (0, 0, 1, 1) if axis == 2 else (1, 1, 0, 0))
        before, here, after = (padded.narrow(axis, start, SIDE) for start in range(3))
        ink = extreme(extreme(before, here), after)
    return ink


def _matrices(angle: Tensor, shear: Tensor, stretch: Tensor) -> Tensor:
    """(n, 2, 2), for points as rows: where a pixel of the result comes from."""
    cos, sin, wide, high = angle.cos(), angle.sin(), stretch.exp(), (-stretch).exp()
    rows = [
        torch.stack([cos * wide, sin * wide], dim=1),
        torch.stack([(shear * cos - sin) * high, (shear * sin + cos) * high], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _elastic_field(images: Tensor, generator: torch.Generator, limit: float) -> Tensor:
    """(n, 784, 2) displacements in pixels: smooth between random ones at the knots of a grid."""
    n, device = len(images), images.device
    knots = torch.randn(n, 2, ELASTIC_GRID, ELASTIC_GRID, generator=generator, device=device)
    knots *= limit * torch.rand(n, 1, 1, 1, generator=generator, device=device)
    basis = _cubic_basis().to(device)
    return (basis @ knots @ basis.T).flatten(2).transpose(1, 2)


@cache
def _cubic_basis() -> Tensor:
    """(28, 6): how much each knot counts at each pixel."""
    knots = torch.eye(ELASTIC_GRID)[:, None, :, None]
    pixels = F.interpolate(knots, (SIDE, 1), mode="bicubic", align_corners=True)
    return pixels[:, 0, :, 0].T


def _pixels(device: torch.device) -> Tensor:
    """(784, 2): x and y of each pixel, counted from the middle."""
    along = torch.arange(float(SIDE), device=device) - MIDDLE
    return torch.stack(torch.meshgrid(along, along, indexing="xy"), dim=-1).view(-1, 2)


def _sampled(ink: Tensor, points: Tensor, mode: str) -> Tensor:
    """(n, 28, 28): the ink at (n, 784, 2) points, which are counted from the middle; 0 outside."""
    units = (points + MIDDLE) * (2 / (SIDE - 1)) - 1  # grid_sample's
    grid = units.view(-1, SIDE, SIDE, 2)
    return F.grid_sample(ink, grid, mode=mode, align_corners=True)[:, 0]


def _extent(ink: Tensor) -> tuple[Tensor, Tensor]:
    """The longer side over 20, (n,), and the centre of mass from the middle, (n, 2)."""
    dark = ink > FAINTEST_INK

    def span(filled: Tensor) -> Tensor:
        return SIDE - filled.float().argmax(1) - filled.flip(1).float().argmax(1)

    side = torch.maximum(span(dark.any(1)), span(dark.any(2)))
    along = torch.arange(float(SIDE), device=ink.device) - MIDDLE
    mass = ink.sum((1, 2)).clamp_min(1e-3)
    middle = torch.stack([ink.sum(1) @ along, ink.sum(2) @ along], dim=1) / mass[:, None]
    return side / DIGIT_SIDE, middle


def _erased(ink: Tensor, generator: torch.Generator, share: float) -> Tensor:
    """Some of the images with a square patch made black, as where a pen skipped."""
    n, device = len(ink), ink.device
    chance, size, x, y = torch.rand(4, n, 1, generator=generator, device=device)
    along = torch.arange(float(SIDE), device=device)
    reach = torch.where(chance < share, 1 + size, -1.0)
    rows, columns = ((along - place * SIDE).abs() <= reach for place in (y, x))
    return ink.masked_fill(rows[:, :, None] & columns[:, None, :], 0)


def redraw(drawing: Drawing, random: np.random.Generator | None = None) -> Drawing:
    """A drawing of any size, drawn once more on the pad: in its middle, at 60 % of its side.

    With random numbers it is drawn as other hands might: slightly turned, slanted and stretched,
    less exactly where the pen is fast, anywhere, at 25 % to 85 % of the pad's side, and as coarsely
    as a pad records a small digit.
    """
    strokes = drawing.strokes
    if random is not None:
        turn = _random_hand(random)
        strokes = [_jittered(stroke, random) @ turn for stroke in strokes]
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    size = MIDDLING_SIZE if random is None else random.uniform(*SIZES)
    scale = size * PAD_SIZE / max(float((high - low).max()), 1e-6)
    room = PAD_SIZE - (high - low) * scale
    corner = room / 2 if random is None else random.uniform(0.1, 0.9, 2) * room
    strokes = [((stroke - low) * scale + corner).astype(np.float32) for stroke in strokes]
    if random is not None:
        strokes = [stroke.round() for stroke in strokes]
    return replace(drawing, strokes=tuple(strokes))


def _jittered(stroke: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Points off their place by some 3 % of the way from the point before: its speed."""
    ways = np.linalg.norm(np.diff(stroke, axis=0, prepend=stroke[:1]), axis=1, keepdims=True)
    return stroke + random.normal(0, JITTER, stroke.shape) * ways


def _random_hand(random: np.random.Generator) -> np.ndarray:
    """(2, 2) float32: rotation, slant and stretch in one, for points as rows."""
    angle, slant = random.uniform(-0.17, 0.17), random.uniform(-0.25, 0.25)
    stretch = math.exp(random.uniform(-0.1, 0.1))
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]])
    return (rotation @ np.array([[stretch, slant], [0, 1 / stretch]])).T.astype(np.float32)
