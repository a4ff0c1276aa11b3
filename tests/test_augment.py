import numpy as np
import pytest
import torch

from mnist_mlp.augment import random_affine, redraw
from mnist_mlp.model import normalise
from mnist_mlp.preprocess import PAD_SIZE, Drawing


@pytest.fixture
def images(sample) -> torch.Tensor:
    return normalise(sample.test.images[:100])


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_shape_and_range_stay(images):
    distorted = random_affine(images, seeded())
    assert distorted.shape == images.shape
    assert distorted.dtype == torch.float32
    assert distorted.min() >= -1
    assert distorted.max() <= 1


def test_strength_zero_changes_nothing(images):
    torch.testing.assert_close(random_affine(images, seeded(), strength=0), images)


def test_hardly_any_strength_hardly_changes_anything(images):
    torch.testing.assert_close(
        random_affine(images, seeded(), strength=1e-4), images, atol=0.02, rtol=0
    )


def test_the_same_seed_distorts_the_same(images):
    torch.testing.assert_close(random_affine(images, seeded()), random_affine(images, seeded()))


def test_each_image_is_distorted_in_its_own_way(images):
    distorted = random_affine(images[:1].repeat(5, 1), seeded())
    assert len({image.numpy().tobytes() for image in distorted}) == 5


def test_the_ink_stays_in_the_image(images):
    distorted = random_affine(images, seeded())
    ink_before, ink_after = (images + 1).sum(), (distorted + 1).sum()
    assert ink_after / ink_before == pytest.approx(1, abs=0.05)


class TestRedraw:
    def big(self) -> Drawing:
        """As in the training files: the longer side spans the pad."""
        return Drawing.from_lists([[[0, 100, 130], [0, 255, 40]], [[20, 60], [128, 128]]])

    def test_in_the_middle_at_sixty_percent(self):
        points = np.concatenate(redraw(self.big()).strokes)
        assert np.ptp(points, axis=0).max() == pytest.approx(0.6 * PAD_SIZE, rel=1e-4)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        np.testing.assert_allclose(middle, PAD_SIZE / 2, atol=0.01)

    def test_other_hands_stay_on_the_pad_at_its_sizes(self):
        random = np.random.default_rng(0)
        for _ in range(200):
            points = np.concatenate(redraw(self.big(), random).strokes)
            assert points.min() >= 0
            assert points.max() <= PAD_SIZE
            assert 0.24 * PAD_SIZE <= np.ptp(points, axis=0).max() <= 0.86 * PAD_SIZE

    def test_the_same_seed_redraws_the_same_and_another_does_not(self):
        one, same, other = (
            np.concatenate(redraw(self.big(), np.random.default_rng(seed)).strokes)
            for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)

    def test_a_dot_stays_a_dot(self):
        dot = redraw(Drawing.from_lists([[[7], [9]]]), np.random.default_rng(0))
        assert dot.strokes[0].shape == (1, 2)
        assert np.isfinite(dot.strokes[0]).all()
