"""The multilayer perceptron, and its weights on disk."""

import json
import os
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_mlp import __version__

PIXELS = 28 * 28
CLASSES = 10
HIDDEN_SIZES = (256, 128, 64)
MAX_HIDDEN_LAYERS = 6
MAX_HIDDEN_UNITS = 2048

SHIPPED_WEIGHTS = Path(__file__).parent.parent / "weights" / "mnist_mlp.safetensors"


class WeightsError(Exception):
    """A weights file cannot be used; the message names the file and says why."""


def check_hidden_sizes(hidden_sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes as a tuple; raises ValueError outside 0 to 6 layers of 1 to 2,048 units."""
    sizes = tuple(hidden_sizes)
    if len(sizes) > MAX_HIDDEN_LAYERS:
        raise ValueError(
            f"At most {MAX_HIDDEN_LAYERS} hidden layers are allowed, not {len(sizes)}."
        )
    for size in sizes:
        if not isinstance(size, int) or not 1 <= size <= MAX_HIDDEN_UNITS:
            raise ValueError(
                f"A hidden layer has 1 to {MAX_HIDDEN_UNITS:,} units, and {size!r} is not that."
            )
    return sizes


class MLP(nn.Module):
    """784 inputs, ReLU hidden layers, 10 logits.

    The layers are called fc1, fc2, ... as in the usual tutorial, so that state dicts fit both ways.
    `temperature` divides the logits before a softmax that is meant as a probability
    (Guo et al. 2017, "On calibration of modern neural networks"); training does not use it.
    """

    def __init__(self, hidden_sizes: Sequence[int] = HIDDEN_SIZES):
        super().__init__()
        self.hidden_sizes = check_hidden_sizes(hidden_sizes)
        self.temperature = 1.0
        sizes = (PIXELS, *self.hidden_sizes, CLASSES)
        for number, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
            self.add_module(f"fc{number}", nn.Linear(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (n, 10) float32, of (n, 784) or (n, 1, 28, 28) float32 in [-1, 1]."""
        *hidden, output = self.children()
        x = x.flatten(1)
        for layer in hidden:
            x = F.relu(layer(x))
        return output(x)

    def probabilities(self, x: Tensor) -> Tensor:
        """Calibrated probabilities, (n, 10) float32, rows summing to 1; input as for `forward`."""
        return F.softmax(self(x) / self.temperature, dim=1)

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


def normalise(images: Tensor) -> Tensor:
    """(n, 28, 28) uint8, white ink on black, to (n, 784) float32 in [-1, 1] (mean and std 0.5)."""
    return images.flatten(1).float().div_(127.5).sub_(1.0)


def weights_as_bytes(model: MLP, **metadata: Any) -> bytes:
    """The weights as the content of a safetensors file, the metadata as JSON in its header."""
    header = {
        "version": __version__,
        "hidden_sizes": model.hidden_sizes,
        "temperature": model.temperature,
        **metadata,
    }
    tensors = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    return save(tensors, {key: json.dumps(value) for key, value in header.items()})


def save_weights(model: MLP, path: Path, **metadata: Any) -> None:
    """Write the weights as a safetensors file, all or nothing; metadata as above."""
    write_atomically(path, weights_as_bytes(model, **metadata))


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file as a whole, so that a reader or a crash never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        # mkstemp makes a private file; the result should have the rights of any other.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_weights(path: Path) -> tuple[MLP, dict[str, Any]]:
    """Read a .safetensors file or a PyTorch .pth state dict: the model in eval mode, its metadata.

    Raises WeightsError with one sentence when the file is missing, truncated or foreign.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file.")
    if path.suffix == ".safetensors":
        state, metadata = _read_safetensors(path)
    else:
        state, metadata = _read_state_dict(path), {}
    model = MLP(_hidden_sizes_of(state, path))
    model.load_state_dict(state)
    model.temperature = _temperature_of(metadata, path)
    return model.eval(), metadata


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = {key: json.loads(text) for key, text in (file.metadata() or {}).items()}
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: this is not a whole safetensors file; it is damaged, cut short or of "
            "another kind."
        ) from error
    except ValueError as error:
        raise WeightsError(f"{path}: the header of this file was not written by us.") from error


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen unrelated types for a damaged file
        raise WeightsError(
            f"{path}: this is not a PyTorch state dict that can be read safely; it is damaged, cut "
            "short or of another kind."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise WeightsError(f"{path}: this file holds something other than a state dict.")
    return state


def _hidden_sizes_of(state: dict[str, Tensor], path: Path) -> tuple[int, ...]:
    """Read the layer sizes off the tensors' shapes, the one thing that is there in every file."""
    layers = range(1, len(state) // 2 + 1)
    names = {f"fc{number}.{kind}" for number in layers for kind in ("weight", "bias")}
    if not state or state.keys() != names:
        raise WeightsError(
            f"{path}: these are the weights of another network; the layers fc1, fc2, ... each with "
            "weight and bias were expected."
        )
    weights = [state[f"fc{number}.weight"] for number in layers]
    biases = [state[f"fc{number}.bias"] for number in layers]
    sizes = [PIXELS, *(len(bias) for bias in biases if bias.dim() == 1)]
    shapes = [(outputs, inputs) for inputs, outputs in pairwise(sizes)]
    if [tuple(weight.shape) for weight in weights] != shapes or sizes[-1] != CLASSES:
        raise WeightsError(
            f"{path}: the layers do not fit one another from {PIXELS} inputs to {CLASSES} outputs."
        )
    try:
        return check_hidden_sizes(sizes[1:-1])
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from error


def _temperature_of(metadata: dict[str, Any], path: Path) -> float:
    temperature = metadata.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 < temperature < float("inf"):
        raise WeightsError(f"{path}: its temperature must be above 0, and {temperature!r} is not.")
    return float(temperature)
