"""Training as an iterator of progress: the command line and the page consume the same one."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from mnist_mlp.augment import random_affine
from mnist_mlp.data import Dataset, Digits
from mnist_mlp.evaluate import accuracy
from mnist_mlp.model import HIDDEN_SIZES, MLP, check_hidden_sizes, normalise

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": lambda *args, **options: torch.optim.SGD(*args, momentum=0.9, **options),
}
SCHEDULES = ("constant", "one-cycle")

# Guessing costs 2.3 nats. From a thousand no network comes back: its units die, or nan follows.
RUNAWAY_LOSS = 1_000.0


class TrainingError(Exception):
    """Training cannot go on; the message says why and what to change."""


@dataclass(frozen=True)
class TrainConfig:
    """All that decides how the weights come out. The defaults are the tutorial's.

    Raises ValueError with one sentence where a value is out of its range.
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    hidden_sizes: tuple[int, ...] = HIDDEN_SIZES
    optimizer: str = "adam"
    schedule: str = "constant"
    augment: bool = False
    train_images: int | None = None  # None: all of them
    seed: int = 0

    def __post_init__(self) -> None:
        check_hidden_sizes(self.hidden_sizes)
        _check(1 <= self.epochs <= 10_000, f"Epochs must be 1 to 10,000, not {self.epochs}.")
        _check(
            1 <= self.batch_size <= 60_000,
            f"Batch size must be 1 to 60,000, not {self.batch_size}.",
        )
        _check(
            0 < self.learning_rate <= 10,
            f"The learning rate must be above 0 and at most 10, not {self.learning_rate:g}.",
        )
        _check(
            self.optimizer in OPTIMIZERS,
            f"The optimizer must be one of {', '.join(OPTIMIZERS)}, not {self.optimizer!r}.",
        )
        _check(
            self.schedule in SCHEDULES,
            f"The schedule must be one of {', '.join(SCHEDULES)}, not {self.schedule!r}.",
        )
        _check(
            self.train_images is None or self.train_images >= 1,
            f"At least 1 training image is needed, not {self.train_images}.",
        )
        _check(0 <= self.seed < 2**32, f"The seed must be 0 to 4,294,967,295, not {self.seed}.")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _check(holds: bool, sentence: str) -> None:
    if not holds:
        raise ValueError(sentence)


PRESETS = {
    "tutorial": TrainConfig(),
    "fast": TrainConfig(epochs=6, batch_size=512, learning_rate=1e-2, schedule="one-cycle"),
    "best": TrainConfig(
        epochs=50,
        batch_size=256,
        learning_rate=4e-3,
        optimizer="adamw",
        schedule="one-cycle",
        augment=True,
    ),
}


@dataclass(frozen=True)
class BatchEnd:
    """After each step of the optimizer; epoch and batch count from 1."""

    epoch: int
    batch: int
    batches: int
    loss: float  # cross entropy of this batch, in nats
    running_accuracy: float  # of this epoch's batches so far, in [0, 1]
    images_per_second: float


@dataclass(frozen=True)
class EpochEnd:
    """After each epoch; accuracies in [0, 1].

    Loss and training accuracy are the means over the epoch's batches as they passed, distortions
    included, as the tutorial prints them; the other two are measured after the epoch.
    """

    epoch: int
    loss: float
    train_accuracy: float
    held_out_accuracy: float
    test_accuracy: float
    images_per_second: float
    seconds: float  # since the start of the run
    is_best: bool


@dataclass(frozen=True)
class Finished:
    """The end: the epoch that was best on the held-out images, as a model on the CPU."""

    model: MLP
    best: EpochEnd
    history: tuple[EpochEnd, ...]
    stopped: bool


Progress = BatchEnd | EpochEnd | Finished


def prepare_process(threads: int | None = None) -> None:
    """Make a process fit for training; call it before the first tensor operation.

    The gradients of digits that are read with certainty are so small that they are denormal
    numbers, which processors are slow with. PyTorch's threads take over from the first one whether
    to take them for zero: 31,000 images a second become 53,000 on two cores.
    """
    torch.set_flush_denormal(True)
    if threads:
        torch.set_num_threads(threads)


def choose_device(name: str = "auto") -> torch.device:
    """cuda, else mps, else cpu; raises ValueError for a device that is not there."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, there in available.items() if there)
    if not available.get(name.partition(":")[0]):
        raise ValueError(f"There is no device {name!r} on this machine.")
    return torch.device(name)


def train(
    config: TrainConfig,
    data: Dataset,
    *,
    device: torch.device | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Train a new network and yield what happens: batches, epochs, and last of all `Finished`.

    `should_stop` is asked between batches; once it says yes, the epoch under way is measured like
    any other and the run finishes. The same config on the same CPU gives the same weights. Under
    `torchrun` the processes share each batch. A loss that runs away raises TrainingError,
    after `Finished` with the best epoch so far if there was one.
    """
    device = device or torch.device("cpu")
    run = _Run(config, data, device, should_stop)
    start = time.perf_counter()
    history: list[EpochEnd] = []
    best, best_weights, failure = None, None, None
    for epoch in range(1, config.epochs + 1):
        try:
            totals = yield from run.epoch(epoch)
        except TrainingError as error:
            failure = error
            break
        held_out_accuracy = accuracy(run.model, run.held_out)
        summary = EpochEnd(
            epoch=epoch,
            loss=totals.loss / totals.images,
            train_accuracy=totals.correct / totals.images,
            held_out_accuracy=held_out_accuracy,
            test_accuracy=accuracy(run.model, run.test),
            images_per_second=totals.images / totals.seconds,
            seconds=time.perf_counter() - start,
            is_best=best is None or held_out_accuracy > best.held_out_accuracy,
        )
        history.append(summary)
        if summary.is_best:
            best, best_weights = summary, _copy_of_weights(run.model)
        yield summary
        if run.stopped:
            break
    if best:
        yield Finished(_model_with(config, best_weights), best, tuple(history), run.stopped)
    if failure:
        raise failure


@dataclass
class _Totals:
    """Sums over the batches of an epoch."""

    loss: float = 0.0
    correct: int = 0
    images: int = 0
    seconds: float = 0.0


class _Run:
    """The parts of a run that its epochs share: data on the device, network, optimizer, chance."""

    def __init__(
        self,
        config: TrainConfig,
        data: Dataset,
        device: torch.device,
        should_stop: Callable[[], bool],
    ):
        self.config = config
        self.device = device
        self.should_stop = should_stop
        self.stopped = False
        self.distributed = distributed.is_available() and distributed.is_initialized()
        self.rank = distributed.get_rank() if self.distributed else 0
        self.world = distributed.get_world_size() if self.distributed else 1

        self.digits = _to(device, data.train[: config.train_images])
        self.held_out = _to(device, data.held_out)
        self.test = _to(device, data.test)
        self.batch_size = max(1, config.batch_size // self.world)
        self.batches = math.ceil(len(self.digits) // self.world / self.batch_size)

        self.model = _new_model(config).to(device)
        self.network = (
            nn.parallel.DistributedDataParallel(self.model) if self.distributed else self.model
        )
        self.optimizer = OPTIMIZERS[config.optimizer](
            self.model.parameters(),
            lr=config.learning_rate,
            fused=device.type in ("cpu", "cuda"),
        )
        self.schedule = (
            torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer, config.learning_rate, total_steps=config.epochs * self.batches
            )
            if config.schedule == "one-cycle"
            else None
        )
        self.shuffler = torch.Generator().manual_seed(config.seed)
        self.distorter = torch.Generator(device).manual_seed(config.seed + self.rank)

    def epoch(self, epoch: int) -> Generator[BatchEnd, None, _Totals]:
        """Pass once over the training digits in a new order, yielding after each batch."""
        totals = _Totals()
        digits = self.digits[self._order()]
        start = time.perf_counter()
        for batch, (images, labels) in enumerate(
            zip(
                digits.images.split(self.batch_size),
                digits.labels.split(self.batch_size),
                strict=True,
            ),
            start=1,
        ):
            loss = self._step(images, labels, totals)
            if not loss < RUNAWAY_LOSS:  # nan is not less than anything
                raise TrainingError(
                    f"The loss has run away, to {loss:.3g} in epoch {epoch}, batch {batch}: the "
                    f"learning rate {self.config.learning_rate:g} is too high; try a tenth of it."
                )
            totals.seconds = time.perf_counter() - start
            yield BatchEnd(
                epoch=epoch,
                batch=batch,
                batches=self.batches,
                loss=loss,
                running_accuracy=totals.correct / totals.images,
                images_per_second=totals.images * self.world / totals.seconds,
            )
            if self._is_told_to_stop():
                break
        return self._over_all_processes(totals)

    def _order(self) -> Tensor:
        """This process's share of a new shuffle; all processes get as many digits."""
        order = torch.randperm(len(self.digits), generator=self.shuffler).to(self.device)
        return order[: len(order) // self.world * self.world][self.rank :: self.world]

    def _step(self, images: Tensor, labels: Tensor, totals: _Totals) -> float:
        x = normalise(images)
        if self.config.augment:
            x = random_affine(x, self.distorter)
        logits = self.network(x)
        loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.schedule:
            self.schedule.step()
        value = loss.item()
        totals.loss += value * len(labels)
        totals.correct += int((logits.argmax(dim=1) == labels).sum())
        totals.images += len(labels)
        return value

    def _is_told_to_stop(self) -> bool:
        """All processes stop at the same batch, or those that go on would wait for the others."""
        self.stopped = self.stopped or self.should_stop()
        if self.distributed:
            flag = torch.tensor(float(self.stopped), device=self.device)
            distributed.all_reduce(flag, distributed.ReduceOp.MAX)
            self.stopped = bool(flag)
        return self.stopped

    def _over_all_processes(self, totals: _Totals) -> _Totals:
        if not self.distributed:
            return totals
        sums = torch.tensor(
            [totals.loss, totals.correct, totals.images], dtype=torch.float64, device=self.device
        )
        distributed.all_reduce(sums)
        loss, correct, images = sums.tolist()
        return _Totals(loss, int(correct), int(images), totals.seconds)


def _new_model(config: TrainConfig) -> MLP:
    """The initial weights depend on the seed alone, whatever random numbers were drawn before."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return MLP(config.hidden_sizes)


def _model_with(config: TrainConfig, weights: dict[str, Tensor]) -> MLP:
    model = MLP(config.hidden_sizes)
    model.load_state_dict(weights)
    return model.eval()


def _copy_of_weights(model: MLP) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _to(device: torch.device, digits: Digits) -> Digits:
    return Digits(digits.images.to(device), digits.labels.to(device))
