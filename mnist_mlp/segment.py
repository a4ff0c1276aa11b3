"""Which strokes, or which connected pieces of ink, make up one digit.

A 5 with its bar apart, a slashed 7 and a 4 in two strokes are one digit each; "2026" is four.
Measured on pen/train.ndjson, see the constants.
"""

from collections.abc import Sequence

import numpy as np

# The heights at which two pieces are compared, over the height of all ink.
ROWS = 32
# All over the height of all ink. Of the 10,933 single digits of pen/train.ndjson FIGURE fall apart
# with these, and of numbers made of them with a tenth of their height or more in between FIGURE.
MAX_GAP = 0.05
SMALL_PIECE = 0.4
MAX_GAP_TO_SMALL_PIECE = 0.15
# Of the narrower piece's width: pieces above one another belong together.
MIN_OVERLAP = 0.4


def group(pieces: Sequence[np.ndarray]) -> list[list[int]]:
    """The pieces' numbers a digit, digits from left to right.

    A piece is (n, 2) float or int, x and y of its points in any unit, dense enough that hardly a
    thirty-second of the height is left out.
    """
    extents = np.array([(*points.min(axis=0), *points.max(axis=0)) for points in pieces])
    top, bottom = extents[:, 1].min(), extents[:, 3].max()
    height = max(float(bottom - top), float(np.ptp(extents[:, [0, 2]])) / len(pieces) / 2, 1e-6)
    digits = [_Group([i], extents[i], *_profile(points, top, height)) for i, points in enumerate(pieces)]
    digits.sort(key=lambda digit: digit.box[0])
    while pair := _closest_pair(digits, height):
        first, second = pair
        digits[first] = digits[first].joined(digits.pop(second))
        digits.sort(key=lambda digit: digit.box[0])
    return [sorted(digit.pieces) for digit in digits]


class _Group:
    """Pieces that belong together: their box and, row by row, where they begin and end."""

    def __init__(self, pieces: list[int], box: np.ndarray, left: np.ndarray, right: np.ndarray):
        self.pieces, self.box, self.left, self.right = pieces, box, left, right

    def joined(self, other: "_Group") -> "_Group":
        box = np.concatenate(
            [np.minimum(self.box[:2], other.box[:2]), np.maximum(self.box[2:], other.box[2:])]
        )
        left, right = np.minimum(self.left, other.left), np.maximum(self.right, other.right)
        return _Group(self.pieces + other.pieces, box, left, right)

    @property
    def width(self) -> float:
        return float(self.box[2] - self.box[0])

    @property
    def height(self) -> float:
        return float(self.box[3] - self.box[1])


def _profile(points: np.ndarray, top: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """The leftmost and the rightmost x in each row, a row further up and down taken in."""
    rows = ((points[:, 1] - top) * ((ROWS - 1) / height)).round().astype(int).clip(0, ROWS - 1)
    left, right = np.full(ROWS + 2, np.inf), np.full(ROWS + 2, -np.inf)
    for shift in (0, 1, 2):
        np.minimum.at(left, rows + shift, points[:, 0])
        np.maximum.at(right, rows + shift, points[:, 0])
    return left[1:-1], right[1:-1]


def _closest_pair(digits: list[_Group], height: float) -> tuple[int, int] | None:
    for second in range(1, len(digits)):
        for first in range(second):
            if _belong_together(digits[first], digits[second], height):
                return first, second
    return None


def _belong_together(a: _Group, b: _Group, height: float) -> bool:
    overlap = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    if overlap >= MIN_OVERLAP * min(a.width, b.width):
        return True
    gap = max(-overlap, 0.0)
    if min(a.height, b.height) < SMALL_PIECE * height and gap <= MAX_GAP_TO_SMALL_PIECE * height:
        return True
    # Row by row, since slanted digits reach over one another without touching.
    between = float((b.left - a.right).min())
    return between <= MAX_GAP * height and gap <= MAX_GAP * height
