"""Random distortions: the many ways in which one and the same digit is written."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_mlp.preprocess import PAD_SIZE, Drawing

MAX_ROTATION = math.radians(15)
MAX_SCALE = 0.15
MAX_SHEAR = 0.25
MAX_SHIFT = 2.0  # pixels

MIDDLING_SIZE = 0.6  # of the pad's side
SIZES = (0.25, 0.85)


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


def redraw(drawing: Drawing, random: np.random.Generator | None = None) -> Drawing:
    """A drawing of any size, drawn once more on the pad: in its middle, at 60 % of its side.

    With random numbers it is drawn as other hands might: slightly turned, slanted and stretched,
    anywhere, at 25 % to 85 % of the pad's side, and as coarsely as a pad records a small digit.
    """
    points = np.concatenate(drawing.strokes)
    turn = np.eye(2, dtype=np.float32) if random is None else _random_hand(random)
    low, high = (points @ turn).min(axis=0), (points @ turn).max(axis=0)
    size = MIDDLING_SIZE if random is None else random.uniform(*SIZES)
    scale = size * PAD_SIZE / max(float((high - low).max()), 1e-6)
    room = PAD_SIZE - (high - low) * scale
    corner = room / 2 if random is None else random.uniform(0.1, 0.9, 2) * room
    strokes = [
        ((stroke @ turn - low) * scale + corner).astype(np.float32) for stroke in drawing.strokes
    ]
    if random is not None:
        strokes = [stroke.round() for stroke in strokes]
    return replace(drawing, strokes=tuple(strokes))


def _random_hand(random: np.random.Generator) -> np.ndarray:
    """(2, 2) float32: rotation, slant and stretch in one, for points as rows."""
    angle, slant = random.uniform(-0.17, 0.17), random.uniform(-0.25, 0.25)
    stretch = math.exp(random.uniform(-0.1, 0.1))
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]])
    return (rotation @ np.array([[stretch, slant], [0, 1 / stretch]])).T.astype(np.float32)
