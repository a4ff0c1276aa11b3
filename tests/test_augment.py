from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as tv

from mnist_mlp.augment import NONE, Distortions, distort, redraw
from mnist_mlp.preprocess import PAD_SIZE, Drawing

KINDS = [field.name for field in fields(Distortions)]


@pytest.fixture
def images(sample) -> torch.Tensor:
    return sample.test.images[:200]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def only(kind: str, amount: float | None = None) -> Distortions:
    return replace(NONE, **{kind: amount or getattr(Distortions(), kind)})


def extents(images: torch.Tensor) -> np.ndarray:
    """(n, 2): width and height of the ink that shows."""
    inked = images.numpy() > 32
    sides = [[np.ptp(image.any(axis).nonzero()[0]) + 1 for axis in (0, 1)] for image in inked]
    return np.array(sides)


def centres_of_mass(images: torch.Tensor) -> np.ndarray:
    ink = images.double().numpy()
    mass = ink.sum((1, 2))
    along = np.arange(28)
    return np.stack([ink.sum(1) @ along, ink.sum(2) @ along], axis=1) / mass[:, None]


def test_shape_and_type_stay(images):
    distorted = distort(images, seeded())
    assert distorted.shape == images.shape
    assert distorted.dtype == torch.uint8
    assert not torch.equal(distorted, images)


def test_strength_zero_changes_nothing(images):
    assert torch.equal(distort(images, seeded(), NONE), images)


def test_no_images_at_all():
    assert distort(torch.empty(0, 28, 28, dtype=torch.uint8), seeded()).shape == (0, 28, 28)


def test_a_black_image_stays_black():
    assert distort(torch.zeros(3, 28, 28, dtype=torch.uint8), seeded()).max() == 0


def test_the_same_seed_distorts_the_same(images):
    assert torch.equal(distort(images, seeded()), distort(images, seeded()))


def test_each_image_is_distorted_in_its_own_way(images):
    distorted = distort(images[:1].repeat(5, 1, 1), seeded())
    assert len({image.numpy().tobytes() for image in distorted}) == 5


def test_an_image_is_distorted_the_same_whatever_is_written_in_it(images):
    """Two images of a batch do not run into one another."""
    batch = images[:2].clone()
    batch[1] = 0
    assert torch.equal(distort(images[:2], seeded())[0], distort(batch, seeded())[0])


def test_it_lies_as_mnists_digits_lie(images):
    distorted = distort(images, seeded())
    longer_sides = extents(distorted).max(axis=1)
    assert np.median(longer_sides) == pytest.approx(20, abs=0.5)
    assert np.mean((longer_sides >= 18) & (longer_sides <= 22)) > 0.95
    off_middle = np.abs(centres_of_mass(distorted) - 14)
    assert np.mean(off_middle < 1) > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_each_distortion_alone_changes_digits_and_keeps_most_of_their_ink(images, kind: str):
    # Each digit is laid anew as well: what is measured is what the distortion adds to that.
    laid = distort(images, seeded(), only("size", 1e-6)).float()
    distorted = distort(images, seeded(), only(kind)).float()
    assert (distorted - laid).abs().mean() > 0.01
    assert distorted.mean() == pytest.approx(laid.mean().item(), rel=0.15)


def test_a_rotation_is_within_its_limits_and_pillows_rotations_reach_it():
    """A bar turned by up to 18 degrees looks like one of torchvision's turned bars."""
    bar = torch.zeros(1, 28, 28, dtype=torch.uint8)
    bar[0, 4:24, 13:16] = 255
    turned = distort(bar.repeat(64, 1, 1), seeded(), only("rotation")).float()
    angles = torch.arange(-30, 31)
    candidates = torch.stack(
        [tv.rotate(bar.float(), float(a), tv.InterpolationMode.BILINEAR)[0] for a in angles]
    )
    distances = torch.cdist(turned.flatten(1), candidates.flatten(1))
    nearest = angles[distances.argmin(dim=1)]
    assert nearest.abs().max() <= 20
    assert nearest.min() < -10
    assert nearest.max() > 10


def test_thickness_makes_strokes_thinner_and_thicker(images):
    ones = images[:1].repeat(50, 1, 1)
    ink = distort(ones, seeded(), only("thickness")).float().mean((1, 2))
    laid = distort(ones, seeded(), only("size", 1e-6)).float().mean()
    assert ink.min() < 0.9 * laid
    assert ink.max() > 1.05 * laid


def test_erasures_blacken_a_patch_of_some_images(images):
    laid = distort(images, seeded(), only("size", 1e-6))
    erased = distort(images, seeded(), only("erasure", 0.5))
    assert (erased.int() - laid.int()).max() < 10, "an erasure brings no ink"
    holes = ((laid > 0) & (erased == 0)).flatten(1).sum(dim=1)
    assert 0.1 < (holes > 0).float().mean() < 0.9
    assert holes.max() <= 25


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
