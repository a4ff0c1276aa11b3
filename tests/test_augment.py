import pytest
import torch

from mnist_mlp.augment import random_affine
from mnist_mlp.model import normalise


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
