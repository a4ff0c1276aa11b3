"""Training as an iterator of progress: the command line and the page consume the same one."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel

from mnist_mlp.augment import Distortions, distort
from mnist_mlp.data import NO_DIGIT, Dataset, Digits, joined
from mnist_mlp.evaluate import accuracy, fit_temperature
from mnist_mlp.model import CLASSES, HIDDEN_SIZES, MLP, check_hidden_sizes, normalise
from mnist_mlp.muon import Muon
from mnist_mlp.teacher import Teacher, logits_of


def _muon_and_adamw(model: nn.Module, rate: float, **options: Any) -> list[Optimizer]:
    """Muon for the matrices; what has one dimension, the biases, AdamW trains at a fifth of it."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [Muon(matrices, rate), AdamW(others, rate / 5, **options)]


OPTIMIZERS: dict[str, Callable[..., list[Optimizer]]] = {
    "adam": lambda model, rate, **options: [Adam(model.parameters(), rate, **options)],
    "adamw": lambda model, rate, **options: [AdamW(model.parameters(), rate, **options)],
    "sgd": lambda model, rate, **options: [SGD(model.parameters(), rate, momentum=0.9, **options)],
    "muon": _muon_and_adamw,
}
SCHEDULES = ("constant", "one-cycle", "linear")
WARM_UP_STEPS = 300  # of a linear schedule, and at most a tenth of it

# Held-out errors with these were the fewest among the few tried, see weights/README.md.
COPIES = 20
ORIGINALS_AMONG_THEM = 3
HELD_OUT_COPIES = 4
AVERAGING = 0.997  # how much of the averaged weights each step leaves: they span some 300 steps
MILD = Distortions(rotation=8, shear=0.12, stretch=0.08, elastic=0.7, thickness=0.2, erasure=0)
SOFTENING = 2.0  # the temperature at which the teacher's probabilities are learned

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
    augment: bool = False  # learn from distorted copies as well
    averaged: bool = False  # the network is the average of the last few hundred steps
    teacher_epochs: int = 0  # train a convolutional teacher first, and learn its probabilities
    non_digits: int = 0  # images of no digit that go with the data, see data.with_non_digits
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
        _check(
            0 <= self.teacher_epochs <= 1_000,
            f"The teacher's epochs must be 0 to 1,000, not {self.teacher_epochs}.",
        )
        _check(
            0 <= self.non_digits <= 100_000,
            f"There can be 0 to 100,000 non-digits, not {self.non_digits}.",
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
        epochs=800,
        batch_size=1024,
        learning_rate=0.02,
        optimizer="muon",
        schedule="linear",
        augment=True,
        averaged=True,
        teacher_epochs=12,
        non_digits=4_000,
    ),
}


def _teachers(config: TrainConfig) -> TrainConfig:
    """How the teacher of a run is trained."""
    return replace(
        config,
        epochs=config.teacher_epochs,
        batch_size=512,
        learning_rate=0.02,
        optimizer="muon",
        schedule="linear",
        averaged=True,
    )


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
    included, as the tutorial prints them; the other two are measured after the epoch. Where the
    training digits are distorted, the held-out ones are mildly distorted as well.
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
class OfTeacher:
    """What happens while the teacher is trained, before the network itself."""

    event: BatchEnd | EpochEnd


@dataclass(frozen=True)
class Finished:
    """The end: the epoch that was best on the held-out images, as a calibrated model on the CPU."""

    model: MLP
    best: EpochEnd
    history: tuple[EpochEnd, ...]
    stopped: bool


Progress = BatchEnd | EpochEnd | OfTeacher | Finished


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
    data = Dataset(
        data.name,
        _to(device, data.train[: config.train_images]),
        _to(device, data.held_out),
        _to(device, data.test),
        data.notice,
    )
    views = _Views(data.train, config)
    start = time.perf_counter()
    if config.teacher_epochs:
        torch.manual_seed(config.seed)  # its dropout has no generator of its own
        teaching = _Run(_teachers(config), _seeded(Teacher, config), data, views, should_stop)
        for event in teaching.epochs(start):
            yield OfTeacher(event)
        views.teacher = teaching.measured
    model = _seeded(lambda: MLP(config.hidden_sizes), config)
    judged = replace(data, held_out=_with_mild_copies(data.held_out)) if config.augment else data
    run = _Run(config, model, judged, views, should_stop)
    history: list[EpochEnd] = []
    best, best_weights, failure = None, None, None
    try:
        for event in run.epochs(start):
            yield event
            if isinstance(event, EpochEnd):
                history.append(event)
                if event.is_best:
                    best, best_weights = event, _copy_of_weights(run.measured)
    except TrainingError as error:
        failure = error
    if best:
        model = _calibrated(_model_with(config, best_weights), data.held_out)
        yield Finished(model, best, tuple(history), run.stopped)
    if failure:
        raise failure


class _Views:
    """The training digits as one epoch after another sees them, with what is to be learned of each.

    Without distortions that is always the digits themselves. With them it is one of 20 copies,
    distorted once, when an epoch first needs it: a distortion costs more than a step of training.
    Then the copies come again in another order, the digits themselves three times among them.
    """

    def __init__(self, digits: Digits, config: TrainConfig):
        self.labels = digits.labels
        self.images = {0: digits.images}
        self.targets: dict[int, Tensor] = {}
        self.teacher: nn.Module | None = None
        self.slots = [0]
        if config.augment:
            self.slots = [0] * ORIGINALS_AMONG_THEM + list(range(1, COPIES + 1))
        self.round: list[int] = []
        self.shuffler = torch.Generator().manual_seed(config.seed)
        # Apple's GPUs have no bicubic grid_sample.
        self.workshop = digits.images.device
        if self.workshop.type == "mps":
            self.workshop = torch.device("cpu")
        self.distorter = torch.Generator(self.workshop).manual_seed(config.seed)

    @property
    def softening(self) -> float:
        return SOFTENING if self.teacher else 1.0

    def next(self) -> tuple[Tensor, Tensor]:
        """Images, (n, 28, 28) uint8, and targets: labels, (n,), or probabilities, (n, 10)."""
        if not self.round:
            order = torch.randperm(len(self.slots), generator=self.shuffler)
            self.round = [self.slots[number] for number in order]
        slot = self.round.pop()
        if slot not in self.images:
            copies = distort(self.images[0].to(self.workshop), self.distorter)
            self.images[slot] = copies.to(self.labels.device)
        if self.teacher is None:
            return self.images[slot], self._hard_targets
        if slot not in self.targets:
            self.targets[slot] = self._soft_targets(self.images[slot])
        return self.images[slot], self.targets[slot]

    @cached_property
    def _hard_targets(self) -> Tensor:
        return self._one_hot if (self.labels == NO_DIGIT).any() else self.labels

    def _soft_targets(self, images: Tensor) -> Tensor:
        """Half what the teacher says, half the label: the teacher is wrong at times, too."""
        probabilities = (logits_of(self.teacher, images) / SOFTENING).softmax(dim=1)
        is_digit = (self.labels != NO_DIGIT)[:, None]
        return probabilities.where(is_digit, 1 / CLASSES).lerp(self._one_hot, 0.5)

    @cached_property
    def _one_hot(self) -> Tensor:
        """(n, 10): of what is no digit every digit is as likely."""
        one_hot = F.one_hot(self.labels.clamp_min(0), CLASSES).float()
        return one_hot.where((self.labels != NO_DIGIT)[:, None], 1 / CLASSES)


@dataclass
class _Totals:
    """Sums over the batches of an epoch."""

    loss: float = 0.0
    correct: int = 0
    digits: int = 0
    images: int = 0  # the digits and the non-digits
    seconds: float = 0.0


class _Run:
    """A network, what it is trained with, and its epochs."""

    def __init__(
        self,
        config: TrainConfig,
        model: nn.Module,
        data: Dataset,
        views: _Views,
        should_stop: Callable[[], bool],
    ):
        self.config = config
        self.data = data
        self.views = views
        self.device = data.train.images.device
        self.should_stop = should_stop
        self.stopped = False
        self.distributed = distributed.is_available() and distributed.is_initialized()
        self.rank = distributed.get_rank() if self.distributed else 0
        self.world = distributed.get_world_size() if self.distributed else 1
        self.batch_size = max(1, config.batch_size // self.world)
        self.batches = math.ceil(len(data.train) // self.world / self.batch_size)

        self.model = model.to(self.device)
        self.network = (
            nn.parallel.DistributedDataParallel(self.model) if self.distributed else self.model
        )
        self.average = (
            AveragedModel(self.model, avg_fn=_average, use_buffers=True).eval()
            if config.averaged
            else None
        )
        self.optimizers = OPTIMIZERS[config.optimizer](
            self.model, config.learning_rate, fused=self.device.type in ("cpu", "cuda")
        )
        steps = config.epochs * self.batches
        self.schedules = [
            schedule
            for optimizer in self.optimizers
            if (schedule := _schedule(config.schedule, optimizer, steps))
        ]
        self.shuffler = torch.Generator().manual_seed(config.seed)

    @property
    def measured(self) -> nn.Module:
        """The network as it is used: with averaged weights, where they are averaged."""
        return self.average.module if self.average else self.model

    def epochs(self, start: float) -> Iterator[BatchEnd | EpochEnd]:
        """Train to the end, or until told to stop; `start` is when the run began."""
        best = -1.0
        for epoch in range(1, self.config.epochs + 1):
            totals = yield from self._epoch(epoch)
            held_out_accuracy = accuracy(self.measured, self.data.held_out)
            yield EpochEnd(
                epoch=epoch,
                loss=totals.loss / totals.images,
                train_accuracy=totals.correct / max(1, totals.digits),
                held_out_accuracy=held_out_accuracy,
                test_accuracy=accuracy(self.measured, self.data.test),
                images_per_second=totals.images / totals.seconds,
                seconds=time.perf_counter() - start,
                is_best=held_out_accuracy >= best,  # of equals the one that has learned for longer
            )
            best = max(best, held_out_accuracy)
            if self.stopped:
                return

    def _epoch(self, epoch: int) -> Generator[BatchEnd, None, _Totals]:
        """Pass once over the training digits in a new order, yielding after each batch."""
        totals = _Totals()
        start = time.perf_counter()
        images, targets = self.views.next()
        order = self._order()
        shuffled = [part[order] for part in (images, targets, self.views.labels)]
        batches = zip(*(part.split(self.batch_size) for part in shuffled), strict=True)
        for batch, (images, targets, labels) in enumerate(batches, start=1):
            loss = self._step(images, targets, labels, totals)
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
                running_accuracy=totals.correct / max(1, totals.digits),
                images_per_second=totals.images * self.world / totals.seconds,
            )
            if self._is_told_to_stop():
                break
        return self._over_all_processes(totals)

    def _order(self) -> Tensor:
        """This process's share of a new shuffle; all processes get as many digits."""
        order = torch.randperm(len(self.data.train), generator=self.shuffler).to(self.device)
        return order[: len(order) // self.world * self.world][self.rank :: self.world]

    def _step(self, images: Tensor, targets: Tensor, labels: Tensor, totals: _Totals) -> float:
        logits = self.network(normalise(images))
        loss = F.cross_entropy(logits / self.views.softening, targets)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        for schedule in self.schedules:
            schedule.step()
        if self.average:
            self.average.update_parameters(self.model)
        value = loss.item()
        totals.loss += value * len(labels)
        totals.correct += int((logits.argmax(dim=1) == labels).sum())
        totals.digits += int((labels != NO_DIGIT).sum())
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
            [totals.loss, totals.correct, totals.digits, totals.images],
            dtype=torch.float64,
            device=self.device,
        )
        distributed.all_reduce(sums)
        loss, correct, digits, images = sums.tolist()
        return _Totals(loss, int(correct), int(digits), int(images), totals.seconds)


def _average(averaged: Tensor, current: Tensor, count: Tensor) -> Tensor:
    """Averaged weights after one more step: the early ones, which know little, fade at once."""
    if not current.is_floating_point():
        return current  # BatchNorm counts its batches
    return averaged.lerp(current, max(1 - AVERAGING, 10 / (float(count) + 10)))


def _schedule(name: str, optimizer: Optimizer, steps: int) -> LRScheduler | None:
    if name == "one-cycle":
        return OneCycleLR(optimizer, optimizer.param_groups[0]["lr"], total_steps=steps)
    if name == "linear":
        warm_up = max(1, min(WARM_UP_STEPS, steps // 10))
        return LambdaLR(optimizer, lambda step: min((step + 1) / warm_up, 1 - step / steps))
    return None


def _with_mild_copies(held_out: Digits) -> Digits:
    """The held-out digits, and each a few times distorted: chance then has less of a say."""
    workshop = torch.Generator().manual_seed(0)  # not the run's: seeds stay comparable
    many = held_out.images.cpu().repeat(HELD_OUT_COPIES, 1, 1)
    copies = distort(many, workshop, MILD).to(held_out.images.device)
    return joined(held_out, Digits(copies, held_out.labels.repeat(HELD_OUT_COPIES)))


def _seeded(new: Callable[[], nn.Module], config: TrainConfig) -> nn.Module:
    """The initial weights depend on the seed alone, whatever random numbers were drawn before."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return new()


def _calibrated(model: MLP, held_out: Digits) -> MLP:
    logits = logits_of(model, held_out.images.cpu())
    model.temperature = fit_temperature(logits, held_out.labels.cpu())
    return model


def _model_with(config: TrainConfig, weights: dict[str, Tensor]) -> MLP:
    model = MLP(config.hidden_sizes)
    model.load_state_dict(weights)
    return model.eval()


def _copy_of_weights(model: MLP) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _to(device: torch.device, digits: Digits) -> Digits:
    return Digits(digits.images.to(device), digits.labels.to(device))
