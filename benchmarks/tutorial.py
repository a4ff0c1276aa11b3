"""The other side: what a beginners' tutorial on MNIST has its readers type, and nothing better."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import _repository  # noqa: F401
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from mnist_mlp.preprocess import Drawing, render

EPOCHS = 10
BATCH_SIZE = 64
LEARNING_RATE = 0.001
TRANSFORM = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 64)
        self.fc4 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(-1, 784)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = F.relu(self.fc3(x))
        return self.fc4(x)


@dataclass(frozen=True)
class Epoch:
    """What an epoch took, and the share of the test set that is read right after it."""

    images_per_second: float  # of the training alone
    seconds: float  # training and evaluation
    test_accuracy: float


def train(data_dir: Path, epochs: int = EPOCHS) -> Iterator[Epoch]:
    torch.manual_seed(0)
    train_set = MNIST(data_dir, train=True, download=True, transform=TRANSFORM)
    test_set = MNIST(data_dir, train=False, download=True, transform=TRANSFORM)
    train_loader = DataLoader(train_set, batch_size=BATCH_SIZE, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=BATCH_SIZE, shuffle=False)

    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for _ in range(epochs):
        start = time.perf_counter()
        train_epoch(model, train_loader, criterion, optimizer)
        trained = time.perf_counter()
        test_accuracy = accuracy(model, test_loader)
        yield Epoch(
            images_per_second=len(train_set) / (trained - start),
            seconds=time.perf_counter() - start,
            test_accuracy=test_accuracy,
        )


def train_epoch(
    model: Net, loader: DataLoader, criterion: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[float, float]:
    """The mean loss and the accuracy, which the tutorial prints."""
    model.train()
    running_loss, correct = 0.0, 0
    for images, labels in loader:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        correct += (outputs.argmax(dim=1) == labels).sum().item()
    return running_loss / len(loader), correct / len(loader.dataset)


def accuracy(model: Net, loader: DataLoader) -> float:
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in loader:
            correct += (model(images).argmax(dim=1) == labels).sum().item()
    return correct / len(loader.dataset)


def image_of_drawing(drawing: Drawing) -> np.ndarray:
    """(28, 28) uint8, as its predict script sees a pad: the whole of it, shrunk."""
    pad = Image.fromarray(255 - render(drawing))
    return np.asarray(pad.convert("L").resize((28, 28)))
