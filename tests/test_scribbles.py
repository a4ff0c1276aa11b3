import numpy as np
import pytest
import torch

from mnist_mlp.data import NO_DIGIT, LabelledDrawings
from mnist_mlp.preprocess import PAD_SIZE, Drawing, images_of_drawings
from mnist_mlp.scribbles import KINDS, OF_DIGITS, non_digits, with_non_digits

ENOUGH = 3 * len(KINDS) * len(OF_DIGITS)


@pytest.fixture
def digits() -> LabelledDrawings:
    """A 1, a 7 and a 3, each drawn a few times."""
    shapes = {
        1: [[[128, 126], [20, 230]]],
        7: [[[60, 200, 110], [50, 50, 220]]],
        3: [[[70, 150, 90, 150, 60], [40, 80, 120, 170, 220]]],
    }
    drawings = tuple(Drawing.from_lists(shape) for shape in shapes.values()) * 4
    return LabelledDrawings(drawings, torch.tensor(list(shapes) * 4), ("",) * len(drawings))


@pytest.mark.parametrize("of_digits", [False, True])
def test_all_are_drawings_that_the_pad_could_have_made(of_digits: bool, digits: LabelledDrawings):
    drawings = non_digits(ENOUGH, 0, digits if of_digits else None)
    assert len(drawings) == ENOUGH
    for drawing in drawings:
        points = np.concatenate(drawing.strokes)
        assert points.min() >= 0
        assert points.max() <= PAD_SIZE
        assert np.isfinite(points).all()
        Drawing.from_lists([stroke.T.tolist() for stroke in drawing.strokes])
    assert (images_of_drawings(drawings).max(axis=(1, 2)) > 100).all()


def test_the_same_seed_draws_the_same(digits: LabelledDrawings):
    one, same, other = (images_of_drawings(non_digits(60, seed, digits)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any(axis=(1, 2)).mean() > 0.95


def test_they_are_mixed_into_the_training_digits_alone(sample, digits: LabelledDrawings):
    data = with_non_digits(sample, 30, 0, digits)
    assert len(data.train) == len(sample.train) + 30
    assert (data.train.labels[-30:] == NO_DIGIT).all()
    assert (data.train.labels[:-30] == sample.train.labels).all()
    assert data.held_out is sample.held_out
    assert data.test is sample.test
    assert "30 scribbles" in data.notice
