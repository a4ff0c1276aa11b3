"""What visitors draw that is no digit: scribbles and shapes made by code, ten kinds of them."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from mnist_mlp.preprocess import PAD_SIZE, Drawing

# (n, 2) float64 each: x and y, y down. What a public function draws is in pad units.
Strokes = list[np.ndarray]

SIZES = (0.35, 0.85)  # the longer side, of the pad's
BRUSHES = (6.0, 22.0)  # pad units, as in pen/val_anywhere.ndjson
SLANT = 0.15
STRETCH = 0.1

# In sides of a shape: how far a hand goes astray, how far it gets from one straying to the next,
# and how densely a pad records it.
STRAY = 0.013
REACH = 0.25
SPACING = 0.02

ANY_TURN = math.pi
A_LITTLE = 0.15  # radians

# Those that nobody takes for a digit: no O of 0, I of 1, Z of 2, Y of 4, S of 5, b of 6, T of 7, B
# of 8, g of 9 and the like. Corners in a box of 1 x 1, y down, a list a stroke.
LETTERS = {
    "A": [[(0, 1), (0.5, 0), (1, 1)], [(0.2, 0.6), (0.8, 0.6)]],
    "E": [[(0.7, 0), (0, 0), (0, 1), (0.7, 1)], [(0, 0.5), (0.6, 0.5)]],
    "F": [[(0.7, 0), (0, 0), (0, 1)], [(0, 0.45), (0.6, 0.45)]],
    "H": [[(0, 0), (0, 1)], [(0.8, 0), (0.8, 1)], [(0, 0.5), (0.8, 0.5)]],
    "K": [[(0, 0), (0, 1)], [(0.7, 0), (0, 0.55), (0.7, 1)]],
    "M": [[(0, 1), (0.1, 0), (0.5, 0.7), (0.9, 0), (1, 1)]],
    "N": [[(0, 1), (0, 0), (0.8, 1), (0.8, 0)]],
    "R": [
        [(0, 1), (0, 0), (0.5, 0), (0.65, 0.12), (0.65, 0.35), (0.5, 0.48), (0, 0.5), (0.7, 1)],
    ],
    "V": [[(0, 0), (0.45, 1), (0.9, 0)]],
    "W": [[(0, 0), (0.25, 1), (0.5, 0.25), (0.75, 1), (1, 0)]],
    "X": [[(0, 0), (0.8, 1)], [(0.8, 0), (0, 1)]],
    "k": [[(0, 0), (0, 1)], [(0.5, 0.4), (0, 0.7), (0.55, 1)]],
    "m": [
        [(0, 0), (0, 0.7)],
        [(0, 0.25), (0.15, 0.03), (0.35, 0), (0.5, 0.2), (0.5, 0.7)],
        [(0.5, 0.25), (0.65, 0.03), (0.85, 0), (1, 0.2), (1, 0.7)],
    ],
    "w": [
        [(0, 0), (0.05, 0.5), (0.25, 0.7), (0.5, 0.5), (0.5, 0.1)],
        [(0.5, 0.5), (0.75, 0.7), (0.95, 0.5), (1, 0)],
    ],
}


def shapes(count: int, seed: int, digits: Sequence[Drawing]) -> dict[str, list[Drawing]]:
    """Draw `count` shapes of each of the ten kinds: anywhere on the pad, brush 6 to 22 pad units.

    The digits are real ones; five at a time are drawn on top of each other. The same seed and
    digits give the same shapes. Raises ValueError when there are fewer than five digits.
    """
    random = np.random.default_rng(seed)
    kinds: dict[str, Callable[[Generator], Strokes]] = {
        "scribble": scribble,
        "letter": letter,
        "heart": heart,
        "empty frame": frame,
        "five digits at once": lambda random: five_digits(random, digits),
        "spiral": spiral,
        "star": star,
        "smiley": smiley,
        "house": house,
        "hatching": hatching,
    }
    return {name: [_drawing(random, kind) for _ in range(count)] for name, kind in kinds.items()}


def _drawing(random: Generator, kind: Callable[[Generator], Strokes]) -> Drawing:
    strokes = tuple(stroke.astype(np.float32) for stroke in kind(random))
    return Drawing(strokes, random.uniform(*BRUSHES))


def scribble(random: Generator) -> Strokes:
    """To and fro without lifting the pen, in soft bends."""
    bends = random.uniform(0, 1, (random.integers(16, 30), 2))
    return _on_pad(random, [_rounded(bends)], ANY_TURN)


def letter(random: Generator) -> Strokes:
    corners = LETTERS[random.choice(list(LETTERS))]
    return _by_hand(random, corners, A_LITTLE)


def heart(random: Generator) -> Strokes:
    """From the dip at the top round to it again."""
    t = np.linspace(0, 2 * np.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = 5 * np.cos(2 * t) + 2 * np.cos(3 * t) + np.cos(4 * t) - 13 * np.cos(t)
    return _by_hand(random, [_points(x, y) / 32], A_LITTLE)


def frame(random: Generator) -> Strokes:
    """A rectangle, about as high as wide or lower: a narrow one could be a 0."""
    height = random.uniform(0.5, 0.85)
    corners = [(0, 0), (1, 0), (1, height), (0, height), (0, 0)]
    return _by_hand(random, [corners], A_LITTLE)


def five_digits(random: Generator, digits: Sequence[Drawing]) -> Strokes:
    """Five of the digits, of one size and on nearly the same spot; their strokes are kept."""
    strokes: Strokes = []
    for index in random.choice(len(digits), 5, replace=False):
        points = np.concatenate(digits[index].strokes)
        side = np.ptp(points, axis=0).max()
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        spot = random.uniform(-0.25, 0.25, 2)
        strokes += [(stroke - middle) / side + spot for stroke in digits[index].strokes]
    return _on_pad(random, strokes, A_LITTLE)


def spiral(random: Generator) -> Strokes:
    """Three turns or more, either way round: fewer could be a 6 or a 9."""
    radii = np.linspace(0, 0.5, 150)
    angles = radii / 0.5 * random.uniform(3, 4) * 2 * np.pi * random.choice((-1, 1))
    coils = _points(radii * np.cos(angles), radii * np.sin(angles))
    return _by_hand(random, [coils], ANY_TURN)


def star(random: Generator) -> Strokes:
    """Five points, in one go with the lines crossing, or only the outline."""
    if random.random() < 0.5:
        corners = _circle(6, turns=2) / 2
    else:
        corners = _circle(11) / 2
        corners[1::2] *= random.uniform(0.4, 0.5)
    return _by_hand(random, [corners], ANY_TURN)


def smiley(random: Generator) -> Strokes:
    """A round face, two eyes and a mouth."""
    face = _circle(50) / 2
    eye = np.array([(0, -0.2), (0, random.uniform(-0.2, -0.08))])
    apart = np.array((random.uniform(0.14, 0.2), 0))
    angles = np.linspace(0.2, 0.8, 15) * np.pi
    mouth = _points(np.cos(angles), np.sin(angles)) * random.uniform(0.25, 0.33)
    return _by_hand(random, [face, eye - apart, eye + apart, mouth], A_LITTLE)


def house(random: Generator) -> Strokes:
    """Walls, a roof that stands out over them, and often a door."""
    eaves, ground = random.uniform(0.35, 0.5), random.uniform(0.9, 1.1)
    strokes = [
        [(0.1, eaves), (0.1, ground), (0.9, ground), (0.9, eaves)],
        [(0, eaves), (0.5, 0), (1, eaves), (0, eaves)],
    ]
    if random.random() < 0.7:
        left, top = random.uniform(0.25, 0.5), (eaves + 2 * ground) / 3 - 0.1
        strokes.append([(left, ground), (left, top), (left + 0.2, top), (left + 0.2, ground)])
    return _by_hand(random, strokes, A_LITTLE)


def hatching(random: Generator) -> Strokes:
    """Four to six lines side by side, or a grid of them."""
    lines = _side_by_side(random, random.integers(4, 7))
    if random.random() < 0.5:
        lines += [line[:, ::-1] for line in _side_by_side(random, random.integers(3, 6))]
    return _by_hand(random, lines, ANY_TURN)


def _side_by_side(random: Generator, count: int) -> Strokes:
    """Upright lines whose ends are not quite level, in a box of 1 x 1."""
    ends = np.array((0, 1)) + random.uniform(-0.08, 0.08, (count, 2))
    places = np.linspace(0, 1, count)
    return [
        np.array([(x, top), (x, bottom)]) for x, (top, bottom) in zip(places, ends, strict=True)
    ]


def _points(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y], axis=1)


def _circle(count: int, turns: int = 1) -> np.ndarray:
    """(count, 2): points at equal distances on the unit circle, from its top round to its top."""
    angles = np.linspace(0, 2 * np.pi * turns, count)
    return _points(np.sin(angles), -np.cos(angles))


def _rounded(corners: np.ndarray) -> np.ndarray:
    """Cut the corners, three times over (Chaikin 1974)."""
    for _ in range(3):
        before, after = corners[:-1], corners[1:]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1)
        corners = cut.reshape(-1, 2)
    return corners


def _by_hand(random: Generator, strokes: Sequence, turn: float) -> Strokes:
    """Through about these points, in a shape of side 1, with an unsteady hand; see _on_pad."""
    drawn = []
    for stroke in strokes:
        points, length = _evenly(np.array(stroke, float))
        knots = np.linspace(0, 1, max(2, round(length / REACH)))
        strays = random.normal(0, STRAY, (2, len(knots)))
        way = np.linspace(0, 1, len(points))
        drawn.append(points + _points(*(np.interp(way, knots, axis) for axis in strays)))
    return _on_pad(random, drawn, turn)


def _evenly(corners: np.ndarray) -> tuple[np.ndarray, float]:
    """Points at equal distances on the way through the corners, and its length."""
    way = np.append(0, np.hypot(*np.diff(corners, axis=0).T).cumsum())
    places = np.linspace(0, way[-1], max(2, round(way[-1] / SPACING)))
    return _points(*(np.interp(places, way, axis) for axis in corners.T)), way[-1]


def _on_pad(random: Generator, strokes: Strokes, turn: float) -> Strokes:
    """Turned by up to `turn` radians, slanted, stretched, anywhere on the pad, in pad units."""
    angle, slant = random.uniform(-turn, turn), random.uniform(-SLANT, SLANT)
    rotation = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    stretch = math.exp(random.uniform(-STRETCH, STRETCH))
    hand = rotation @ np.array([(stretch, 0), (slant, 1 / stretch)])
    points = np.concatenate(strokes) @ hand
    low, high = points.min(axis=0), points.max(axis=0)
    scale = random.uniform(*SIZES) * PAD_SIZE / (high - low).max()
    margin = BRUSHES[1] / 2
    corner = margin + random.uniform(0, 1, 2) * (PAD_SIZE - 2 * margin - (high - low) * scale)
    return [(stroke @ hand - low) * scale + corner for stroke in strokes]
