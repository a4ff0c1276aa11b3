"""Which strokes, or which connected pieces of ink, make up one digit.

A 5 with its bar apart, a slashed 7 and a 4 in two strokes are one digit each; "2026" is four.
Measured on pen/train.ndjson, see the constants.
"""

from collections.abc import Sequence

import numpy as np

# The heights at which two pieces are compared, over the height of all ink.
ROWS = 32
# All over the height of all ink. With these 0.7 % of the single digits of pen/train.ndjson fall
# apart, nearly all of them a 4 whose strokes do not meet; of numbers of four digits that lie a
# tenth of their height apart 88 % are found, and 98 % at a fifth.
MAX_GAP = 0.05
SMALL_PIECE = 0.5
MAX_GAP_TO_SMALL_PIECE = 0.1
# Of the narrower piece's width: pieces above one another belong together.
MIN_OVERLAP = 0.4
# Over the tallest digit: what is smaller and on its own is a speck, or a dot.
MIN_DIGIT = 0.25


def group(pieces: Sequence[np.ndarray]) -> list[list[int]]:
    """The pieces' numbers a digit, from left to right; specks are left out.

    A piece is (n, 2), x and y of its points in any unit, at least one in each row that it crosses.
    """
    extents = np.array([(*points.min(axis=0), *points.max(axis=0)) for points in pieces], float)
    top, bottom = extents[:, 1].min(), extents[:, 3].max()
    height = max(float(bottom - top), 1e-6)
    digits: list[_Group] = []
    for i in np.argsort(extents[:, 0], kind="stable").tolist():
        grown = _Group([i], extents[i], *_profile(pieces[i], top, height))
        while near := [digit for digit in digits if _belong_together(digit, grown, height)]:
            for digit in near:
                digits.remove(digit)
                grown = digit.joined(grown)
        digits.append(grown)
    tallest = max(max(digit.width, digit.height) for digit in digits)
    digits = [d for d in digits if max(d.width, d.height) >= MIN_DIGIT * tallest]
    return [sorted(digit.pieces) for digit in sorted(digits, key=lambda digit: digit.box[0])]


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


def _belong_together(a: _Group, b: _Group, height: float) -> bool:
    if b.box[0] < a.box[0]:
        a, b = b, a
    overlap = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    if overlap >= MIN_OVERLAP * min(a.width, b.width):
        return True
    gap = max(-overlap, 0.0)
    if min(a.height, b.height) < SMALL_PIECE * height and gap <= MAX_GAP_TO_SMALL_PIECE * height:
        return True
    # Row by row, since slanted digits reach over one another without touching.
    between = float((b.left - a.right).min())
    return between <= MAX_GAP * height and gap <= MAX_GAP * height
