"""Things that are no digits, drawn by code: what a network must learn not to be sure of.

Each kind is a function of random numbers that gives strokes in a unit square, y down. A third of
what is drawn are real digits that make no digit together: upon one another, touching, in pieces,
mirrored or lying on their side.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from mnist_mlp.augment import redraw
from mnist_mlp.data import NO_DIGIT, Dataset, LabelledDrawings, digits_of, joined, split_by_writer
from mnist_mlp.preprocess import Drawing

Strokes = list[np.ndarray]  # each (n, 2)
Random = np.random.Generator

# Lying on their side these are no digits, as a 1 or an 8 might be; nor are three of them mirrored,
# where a 2 becomes a 5.
LYING = (2, 3, 4, 5, 7)
MIRRORED = (3, 4, 7)
TREMBLE = 0.012  # of the square's side

# Letters that nobody takes for a digit, each stroke as its corners.
_LETTERS = {
    "A": "0,10 5,0 10,10|2,6 8,6",
    "E": "10,0 0,0 0,10 10,10|0,5 8,5",
    "F": "10,0 0,0 0,10|0,5 8,5",
    "H": "0,0 0,10|10,0 10,10|0,5 10,5",
    "K": "0,0 0,10|9,0 0,5 10,10",
    "M": "0,10 1,0 5,6 9,0 10,10",
    "N": "0,10 0,0 10,10 10,0",
    "P": "0,10 0,0 7,0 8,2 7,4 0,5",
    "R": "0,10 0,0 7,0 8,2 7,4 0,5 9,10",
    "T": "0,0 10,0|5,0 5,10",
    "U": "0,0 0,7 2,9 5,10 8,9 10,7 10,0",
    "V": "0,0 5,10 10,0",
    "W": "0,0 2,10 5,3 8,10 10,0",
    "X": "0,0 10,10|10,0 0,10",
    "Y": "0,0 5,5 10,0|5,5 5,10",
    "C": "10,2 7,0 3,0 0,3 0,7 3,10 7,10 10,8",
    "L": "0,0 0,10 8,10",
    "Q": "5,0 1,2 0,5 1,8 5,10 9,8 10,5 9,2 5,0|6,6 11,11",
    "h": "0,0 0,10|0,6 3,4 6,5 7,7 7,10",
    "m": "0,3 0,10|0,5 2,3 4,4 5,10|5,5 7,3 9,4 10,10",
    "n": "0,2 0,10|0,5 3,2 6,3 7,5 7,10",
    "k": "0,0 0,10|6,4 0,7 7,10",
    "t": "4,0 4,8 6,10 8,9|0,3 8,3",
    "e": "0,5 10,5 9,2 5,0 1,2 0,6 2,9 6,10 10,8",
    "a": "9,2 5,0 1,2 0,6 2,9 6,9 9,5|9,0 9,8 11,10",
    "r": "0,1 0,10|0,4 3,1 7,1",
    "w": "0,0 1,8 3,10 5,4 7,10 9,8 10,0",
    "f": "8,1 5,0 3,2 3,10|0,4 7,4",
}


def with_non_digits(
    data: Dataset, count: int, seed: int, labelled: LabelledDrawings | None = None
) -> Dataset:
    """Mix so many images of no digit into the training digits of a data set.

    A third are made of the drawings that are trained on, where there are any.
    """
    train = split_by_writer(labelled)[1] if labelled else None
    drawings = non_digits(count, seed, train)
    images = digits_of(drawings, torch.full((count,), NO_DIGIT))
    return replace(
        data,
        name=f"{data.name} and {count:,} non-digits",
        train=joined(data.train, images),
        notice=f"{data.notice} And {count:,} scribbles and shapes that are no digits.",
    )


def non_digits(count: int, seed: int, digits: LabelledDrawings | None = None) -> list[Drawing]:
    """So many drawings of no digit, the same ones for the same seed."""
    random = np.random.default_rng(seed)
    drawings = []
    for number in range(count):
        if digits and number % 3 == 0:
            strokes = OF_DIGITS[number // 3 % len(OF_DIGITS)](random, digits)
        else:
            strokes = _by_hand(KINDS[number % len(KINDS)](random), random)
        drawing = Drawing(tuple(stroke.astype(np.float32) for stroke in strokes))
        drawings.append(redraw(drawing, random))
    return drawings


def _by_hand(strokes: Strokes, random: Random) -> Strokes:
    """Trembling, and wider or narrower."""
    stretch = [1, math.exp(random.uniform(-0.35, 0.35))]
    return [(s + random.normal(0, TREMBLE, s.shape)) * stretch for s in strokes]


def _line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, float)


def _smooth(points: np.ndarray, steps: int = 5) -> np.ndarray:
    """A Catmull-Rom curve through the points."""
    padded = np.vstack([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5
        * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.vstack([*pieces, points[-1:]])


def _arc(start: float, turns: float, width: float = 1.0, height: float = 1.0) -> np.ndarray:
    """Part of an ellipse in the middle of the square; start and turns in full circles."""
    angle = 2 * math.pi * np.linspace(start, start + turns, max(6, int(abs(turns) * 32)))
    return 0.5 + 0.5 * np.stack([width * np.cos(angle), height * np.sin(angle)], axis=1)


def _moved(stroke: np.ndarray, scale: float, x: float, y: float) -> np.ndarray:
    return (stroke - 0.5) * scale + [x, y]


def scribble(random: Random) -> Strokes:
    return [_smooth(random.random((random.integers(7, 20), 2)))]


def chords(random: Random) -> Strokes:
    return [random.random((random.integers(6, 12), 2))]


def zigzag(random: Random) -> Strokes:
    n = random.integers(6, 13)
    y = np.arange(n) % 2 * random.uniform(0.4, 1) + random.uniform(0, 0.15, n)
    strokes = np.stack([np.linspace(0, 1, n), y], axis=1)
    return [strokes if random.random() < 0.5 else strokes[:, ::-1]]


def letter(random: Random) -> Strokes:
    text = _LETTERS[random.choice(sorted(_LETTERS))]
    strokes = [[point.split(",") for point in stroke.split()] for stroke in text.split("|")]
    return [np.array(stroke, float) / 10 for stroke in strokes]


def heart(random: Random) -> Strokes:
    t = np.linspace(0, 2 * math.pi, random.integers(30, 50))
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([0.5 + 0.5 * np.sin(t) ** 3, 0.5 - y / 34], axis=1)]


def frame(random: Random) -> Strokes:
    outer = _line((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
    return [outer] if random.random() < 0.7 else [outer, _moved(outer, 0.7, 0.5, 0.5)]


def star(random: Random) -> Strokes:
    if random.random() < 0.4:  # in one stroke, with crossing lines
        angle = np.arange(6) * 0.8 * math.pi - math.pi / 2
        return [0.5 + 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)]
    corners = 2 * random.integers(4, 8)
    angle = np.arange(corners + 1) * 2 * math.pi / corners - math.pi / 2
    radius = np.where(np.arange(corners + 1) % 2, random.uniform(0.15, 0.3), 0.5)
    return [0.5 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)]


def spiral(random: Random) -> Strokes:
    angle = np.linspace(0, 2 * math.pi * random.uniform(2.2, 5), 90) * random.choice([-1, 1])
    radius = np.linspace(0.03, 0.5, 90)
    return [0.5 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)]


def grid(random: Random) -> Strokes:
    upright = [_line((x, 0), (x, 1)) for x in np.linspace(0.1, 0.9, random.integers(2, 6))]
    level = [_line((0, y), (1, y)) for y in np.linspace(0.1, 0.9, random.integers(2, 6))]
    return [upright, level, upright + level][random.integers(3)]


def triangle(random: Random) -> Strokes:
    return [_line((0.5, 0), (1, 1), (0, 1), (0.5, 0)) * [1, random.choice([-1, 1])]]


def cross(random: Random) -> Strokes:
    upright = [_line((0.5, 0), (0.5, 1)), _line((0, 0.5), (1, 0.5))]
    slanting = [_line((0.1, 0.1), (0.9, 0.9)), _line((0.9, 0.1), (0.1, 0.9))]
    return upright if random.random() < 0.5 else upright + slanting


def dots(random: Random) -> Strokes:
    return [
        place + _line((0, 0), (0.04, 0.04)) for place in random.random((random.integers(2, 9), 2))
    ]


def bits(random: Random) -> Strokes:
    """Several short lines that have nothing to do with one another."""
    return [
        _smooth(random.random(2) + np.cumsum(random.normal(0, 0.22, (3, 2)), axis=0))
        for _ in range(random.integers(3, 8))
    ]


def smiley(random: Random) -> Strokes:
    eyes = [_moved(_arc(0, 1), 0.08, x, 0.35) for x in (0.33, 0.67)]
    return [_arc(0, 1), *eyes, _moved(_arc(0.06, 0.38), random.uniform(0.4, 0.7), 0.5, 0.52)]


def house(random: Random) -> Strokes:
    walls = _line((0.1, 1), (0.1, 0.4), (0.5, 0), (0.9, 0.4), (0.9, 1), (0.1, 1))
    door = _line((0.4, 1), (0.4, 0.7), (0.6, 0.7), (0.6, 1))
    return [walls] if random.random() < 0.3 else [walls, door]


def arrow(random: Random) -> Strokes:
    strokes = [_line((0, 0.5), (1, 0.5)), _line((0.7, 0.2), (1, 0.5), (0.7, 0.8))]
    return strokes if random.random() < 0.5 else [stroke[:, ::-1] for stroke in strokes]


def wave(random: Random) -> Strokes:
    x = np.linspace(0, 1, 60)
    y = 0.5 + random.uniform(0.15, 0.4) * np.sin(2 * math.pi * random.uniform(2, 5) * x)
    return [np.stack([x, y], axis=1)]


def flower(random: Random) -> Strokes:
    t = np.linspace(0, 2 * math.pi, 90)
    radius = 0.3 + 0.2 * np.cos(random.integers(4, 8) * t)
    return [0.5 + radius[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1)]


def tree(random: Random) -> Strokes:
    edge = random.uniform(0.5, 0.8)
    crown = _line((0.5, 0), (0.9, edge), (0.1, edge), (0.5, 0))
    return [_line((0.5, 1), (0.5, edge)), crown]


def loops(random: Random) -> Strokes:
    """Rings upon or beside one another, three and more."""
    places = random.random((random.integers(3, 6), 2))
    return [_moved(_arc(0, 1), random.uniform(0.2, 0.6), *place) for place in places]


def composed(random: Random) -> Strokes:
    """Any lines, hooks, arcs and rings, put together by chance."""
    strokes = []
    for _ in range(random.integers(3, 7)):
        part = [
            _line((0, 0.5), (1, 0.5)),
            _line((0, 0), (0.5, 1), (1, 0)),
            _line((0, 0), (0, 1), (1, 1)),
            _arc(random.random(), random.uniform(0.3, 1), 1, random.uniform(0.4, 1)),
        ][random.integers(4)]
        angle = random.uniform(0, 2 * math.pi)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        turned = (part - 0.5) @ turn + 0.5
        strokes.append(_moved(turned, random.uniform(0.3, 1), *random.random(2)))
    return strokes


KINDS: tuple[Callable[[Random], Strokes], ...] = (
    *(scribble, chords, bits, composed, letter, letter) * 2,
    *(zigzag, heart, frame, star, spiral, grid, triangle, cross, dots, smiley),
    *(house, arrow, wave, flower, tree, loops),
)


def heaped(random: Random, digits: LabelledDrawings) -> Strokes:
    """Two to five digits upon one another; of only two, no 1, which might slash the other."""
    count = random.integers(2, 6)
    strokes = []
    for i in _different(random, digits, count):
        place = random.uniform(-30, 30, 2)
        strokes += [stroke + place for stroke in redraw(digits.drawings[i]).strokes]
    return strokes


def _different(random: Random, digits: LabelledDrawings, count: int) -> list[int]:
    """So many drawings, the first two of different digits: 3 upon 3 is still a 3."""
    some = random.choice(len(digits), 50)
    some = [i for i in some if count > 2 or digits.labels[i] != 1]
    others = [i for i in some if digits.labels[i] != digits.labels[some[0]]]
    return [some[0], *others][:count]


def touching(random: Random, digits: LabelledDrawings) -> Strokes:
    """Two digits side by side, so near that they touch or nearly do."""
    left, right = (redraw(digits.drawings[i]).strokes for i in random.choice(len(digits), 2))
    gap = max(s[:, 0].max() for s in left) - min(s[:, 0].min() for s in right)
    way = np.array([gap + random.uniform(-12, 24), 0])
    return [*left, *(stroke + way for stroke in right)]


def pieces(random: Random, digits: LabelledDrawings) -> Strokes:
    """Halves of the paths of three digits."""
    strokes = []
    for i in random.choice(len(digits), 3):
        stroke = max(redraw(digits.drawings[i]).strokes, key=len)
        half = max(2, len(stroke) // 2)
        start = random.integers(0, max(1, len(stroke) - half))
        strokes.append(stroke[start : start + half] + random.uniform(-40, 40, 2))
    return strokes


def mirrored_or_lying(random: Random, digits: LabelledDrawings) -> Strokes:
    which = random.integers(3)
    turn = np.array([[[-1, 0], [0, 1]], [[0, 1], [-1, 0]], [[0, -1], [1, 0]]])[which]
    allowed = LYING if which else MIRRORED
    i = next(i for i in random.choice(len(digits), 200) if digits.labels[i] in allowed)
    return [stroke @ turn for stroke in redraw(digits.drawings[i]).strokes]


OF_DIGITS = (heaped, heaped, touching, pieces, mirrored_or_lying)
