"""Batched random distortions: the many ways in which one and the same digit is written."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

MAX_ROTATION = math.radians(15)
MAX_SCALE = 0.15
MAX_SHEAR = 0.25
MAX_SHIFT = 2.0  # pixels


def random_affine(images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Rotate, scale, shear and shift each image by its own random amount.

    images: (n, 784) float32 in [-1, 1]; the result is of the same shape and range, and at
    strength 0 the images themselves. The generator lives on the images' device.
    """
    if strength == 0:
        return images
    grid = F.affine_grid(
        _random_matrices(images, generator, strength), (len(images), 1, 28, 28), align_corners=False
    )
    # grid_sample fills with 0 outside the image: black has to be 0 there, not -1.
    inked = (images + 1).view(-1, 1, 28, 28)
    return F.grid_sample(inked, grid, align_corners=False).flatten(1).sub_(1)


def _random_matrices(images: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """(n, 2, 3): where each pixel of the result comes from, in grid_sample's units of [-1, 1]."""

    def uniform(limit: float) -> Tensor:
        limit *= strength
        return torch.empty(len(images), device=images.device).uniform_(
            -limit, limit, generator=generator
        )

    angle, shear = uniform(MAX_ROTATION), uniform(MAX_SHEAR)
    scale_x, scale_y = 1 + uniform(MAX_SCALE), 1 + uniform(MAX_SCALE)
    shift_x, shift_y = uniform(MAX_SHIFT / 14), uniform(MAX_SHIFT / 14)
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([cos * scale_x, (shear * cos - sin) * scale_y, shift_x], dim=1),
        torch.stack([sin * scale_x, (shear * sin + cos) * scale_y, shift_y], dim=1),
    ]
    return torch.stack(rows, dim=1)
