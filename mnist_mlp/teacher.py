"""The teacher: a small convolutional network whose probabilities the perceptron can learn from.

It is trained here, on the same images, and is gone when the perceptron is trained: distillation,
after Hinton et al. 2015. A probability says more than a label, such as that this 4 is nearly a 9,
and where a distortion went too far, that nobody can tell.
"""

import torch
from torch import Tensor, nn

from mnist_mlp.model import CLASSES, normalise

CHANNELS = (24, 48, 96)
DROPOUT = 0.4
BATCH = 1_000


class Teacher(nn.Module):
    """Five 3 x 3 convolutions, three of them pooled, and a linear layer: 165,370 parameters."""

    def __init__(self):
        super().__init__()
        small, middle, large = CHANNELS
        self.layers = nn.Sequential(
            *_convolution(1, small, pooled=True),
            *_convolution(small, middle),
            *_convolution(middle, middle, pooled=True),
            *_convolution(middle, large),
            *_convolution(large, large, pooled=True),
            nn.Flatten(),
            nn.Dropout(DROPOUT),
            nn.Linear(9 * large, CLASSES),
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (n, 10) float32, of (n, 784) float32 in [-1, 1], as the perceptron's."""
        images = x.view(-1, 1, 28, 28).contiguous(memory_format=torch.channels_last)
        return self.layers(images)


def _convolution(inputs: int, outputs: int, *, pooled: bool = False) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
    if pooled:
        layers.append(nn.MaxPool2d(2))
    return [*layers, nn.BatchNorm2d(outputs), nn.ReLU()]


@torch.inference_mode()
def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    """(n, 10) float32 on the images' device, of (n, 28, 28) uint8."""
    return torch.cat([network(normalise(part)) for part in images.split(BATCH)])
