"""What random distortions make of a digit, as a row of pictures for the Train tab."""

import base64
import io

import numpy as np
import torch
from PIL import Image

from mnist_mlp.augment import distort
from mnist_mlp.preprocess import Drawing, stages_of_drawing

COPIES = 7
GAP = 2  # pixels between the pictures
# What is shown as long as the pad is empty.
SEVEN = Drawing.from_lists([[[70, 190, 180, 120, 95], [60, 56, 80, 150, 215]]])


def distortions_as_html(drawing: Drawing) -> str:
    """The drawing as the network sees it, and copies as it meets them in training."""
    stages = stages_of_drawing(drawing) or stages_of_drawing(SEVEN)
    copies = torch.from_numpy(stages.centred).repeat(COPIES, 1, 1)
    distorted = distort(copies, torch.Generator().manual_seed(0)).numpy()
    row = np.pad([stages.centred, *distorted], ((0, 0), (0, 0), (0, GAP)))
    whose = "What is on your pad" if drawing.strokes else "A 7"
    return (
        f'<figure><img src="data:image/png;base64,{_png(np.concatenate(row, axis=1))}" '
        'alt="A digit and distorted copies of it">'
        f"<figcaption>{whose}, and what random distortions make of it</figcaption></figure>"
    )


def _png(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image[:, :-GAP]).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
