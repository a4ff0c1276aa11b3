"""Distorting images: ours beside torchvision's transforms, and beside a step of training."""

import sys
import time
from collections.abc import Callable

import torch
from _repository import parser_with_data_dir
from bars import passes
from torch.nn import functional as F
from torchvision.transforms import v2

from mnist_mlp.augment import distort
from mnist_mlp.data import load_dataset
from mnist_mlp.model import MLP, normalise
from mnist_mlp.training import prepare_process

IMAGES = 4_000
BATCH = 512
REPEATS = 5
BAR = 10  # times the images a second of torchvision's two transforms, an image at a time

THEIRS = v2.Compose(
    [
        v2.RandomAffine(18, translate=(0.02, 0.02), scale=(0.9, 1.1), shear=14),
        v2.ElasticTransform(alpha=30.0, sigma=5.0),
    ]
)


def microseconds_an_image(work: Callable[[], object], images: int) -> float:
    """The best of five: what else the machine does can only add."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e6 * min(times) / images


def main() -> int:
    options = parser_with_data_dir(__doc__).parse_args()
    prepare_process(threads=1)
    digits = load_dataset(options.data_dir).train[:IMAGES]
    model = MLP()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> None:
        loss = F.cross_entropy(model(normalise(digits.images[:BATCH])), digits.labels[:BATCH])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    few = digits.images[:200, None]
    ours = microseconds_an_image(lambda: distort(digits.images, torch.Generator()), IMAGES)
    theirs = microseconds_an_image(lambda: [THEIRS(image) for image in few], len(few))
    training = microseconds_an_image(step, BATCH)
    print(f"microseconds an image, one core: distortions {ours:.0f}, torchvision's {theirs:.0f}")
    print(f"a training step at batch {BATCH}: {training:.0f}")
    print(f"a distortion costs {ours / training:.1f} steps: so the copies are made once and kept")
    return 0 if passes("torchvision's time / ours", theirs / ours, "at least", BAR) else 1


if __name__ == "__main__":
    sys.exit(main())
