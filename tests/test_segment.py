import numpy as np
import pytest

from mnist_mlp.classify import Classifier
from mnist_mlp.data import LabelledDrawings
from mnist_mlp.preprocess import Drawing, digits_of_drawing
from mnist_mlp.segment import group


def line(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.linspace((x0, y0), (x1, y1), 101)


STEM = line(50, 0, 50, 100)


@pytest.mark.parametrize(
    "pieces",
    [
        [STEM],
        [line(0, 0, 60, 0), line(60, 0, 20, 100), line(15, 50, 55, 50)],  # a crossed 7
        [line(10, 40, 40, 100), line(14, 0, 60, 0)],  # the bar of a 5, apart
        [line(0, 0, 0, 60), line(0, 60, 45, 60), STEM],  # a 4 whose bar ends just before the stem
        [STEM, line(30, 20, 46, 4)],  # the flag of a 1
    ],
)
def test_pieces_of_one_digit(pieces: list[np.ndarray]):
    assert group(pieces) == [list(range(len(pieces)))]


def test_digits_are_told_apart_from_left_to_right():
    right, left = line(80, 0, 80, 90), line(0, 0, 0, 100)
    assert group([right, STEM, left]) == [[2], [1], [0]]


def test_slanted_digits_that_reach_over_one_another():
    assert group([line(30, 0, 0, 100), line(60, 0, 25, 100)]) == [[0], [1]]


def test_a_speck_is_no_digit():
    assert group([STEM, line(90, 50, 95, 50)]) == [[0]]


def test_many_strokes_are_quick_to_group():
    assert len(group([line(x, 0, x, 10) for x in range(0, 2000, 10)])) == 200


def test_drawings_of_one_digit_stay_one(val_anywhere: LabelledDrawings, classifier: Classifier):
    drawings = val_anywhere.drawings[:300]
    one = sum(len(classifier.read_drawing(drawing).digits) == 1 for drawing in drawings)
    assert one >= 0.99 * len(drawings)


def test_a_number_is_drawn_in_any_order(classifier: Classifier):
    one, seven = [[60, 60], [80, 180]], [[120, 190, 150], [80, 80, 180]]
    for strokes in ([one, seven], [seven, one]):
        reading = classifier.read_drawing(Drawing.from_lists(strokes))
        assert reading.number == "17"
        assert all(len(digit.guesses) == 3 for digit in reading.digits)


def test_a_drawing_falls_into_drawings_with_its_brush():
    drawing = Drawing.from_lists([[[150, 150], [80, 180]], [[60, 60], [80, 180]]], 9)
    left, right = digits_of_drawing(drawing)
    assert left.brush == right.brush == 9
    assert left.strokes[0][0, 0] == 60
    assert digits_of_drawing(Drawing(())) == ()
