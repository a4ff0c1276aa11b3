"""The process that trains: its own Python, its own threads, MNIST loaded once for all its runs.

The server sends a TrainConfig to start a run and anything at all to stop it. The worker answers
with `Ready`, then for each run with `Snapshot`s and last with `Trained` or `Failed`.
"""

import math
import os
import threading
import time
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from mnist_mlp.data import Dataset, load_dataset
from mnist_mlp.evaluate import Evaluation, evaluate
from mnist_mlp.model import weights_as_bytes
from mnist_mlp.training import (
    BatchEnd,
    EpochEnd,
    Finished,
    TrainConfig,
    TrainingError,
    choose_device,
    prepare_process,
    train,
)

SECONDS_BETWEEN_SNAPSHOTS = 0.15
CURVE_POINTS = 400
MISTAKES_SHOWN = 24
# Drawings are answered first: the server's process is not as nice.
NICENESS = 10


@dataclass(frozen=True)
class Ready:
    """The data is loaded; its tensors lie in memory that processes share."""

    data: Dataset


@dataclass(frozen=True)
class Snapshot:
    """How far a run is. The loss curve has at most 400 points, each the mean of some batches."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    images_per_second: float
    seconds: float
    loss_curve: tuple[tuple[float, float], ...]  # epochs since the start, cross entropy
    history: tuple[EpochEnd, ...]


@dataclass(frozen=True)
class Mistake:
    """A test image that was read wrong."""

    image: np.ndarray  # (28, 28) uint8
    label: int
    prediction: int
    probability: float  # of the prediction


@dataclass(frozen=True)
class Report:
    """How the best epoch does on the test set. Plain arrays: the worker may be gone by then."""

    test_accuracy: float
    errors: int
    images: int
    confusion_matrix: np.ndarray  # (10, 10) int64: rows the true digit, columns the predicted one
    precision: np.ndarray  # (10,) float32
    recall: np.ndarray  # (10,) float32
    mistakes: tuple[Mistake, ...]
    parameter_count: int
    seconds: float
    data: str


@dataclass(frozen=True)
class Trained:
    """The end of a run: the best epoch's weights, as a safetensors file, and their report."""

    weights: bytes
    temperature: float
    best: EpochEnd
    report: Report
    stopped: bool


@dataclass(frozen=True)
class Failed:
    """Training could not go on; `best` is there when a whole epoch came before that."""

    sentence: str
    best: Trained | None = None


class LossCurve:
    """A curve that never has more than 400 points: when it is full, neighbours are merged."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self.batches_a_point = 1
        self._losses: list[float] = []

    def add(self, event: BatchEnd) -> None:
        self._losses.append(event.loss)
        if len(self._losses) < self.batches_a_point:
            return
        place = event.epoch - 1 + event.batch / event.batches
        self.points.append((place, sum(self._losses) / len(self._losses)))
        self._losses = []
        if len(self.points) > CURVE_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [(right[0], (left[1] + right[1]) / 2) for left, right in pairs]
            self.batches_a_point *= 2


def work(connection: Connection, data_dir: Path | None, data: Dataset | None, threads: int) -> None:
    """Serve one run after another until the server is gone."""
    import torch.multiprocessing  # noqa: F401  connections then share tensors and copy none

    _end_with_the_server()
    os.nice(NICENESS)
    prepare_process(threads)
    data = data or _shared(load_dataset(data_dir))
    connection.send(Ready(data))
    while True:
        order = connection.recv()
        if isinstance(order, TrainConfig):  # anything else asks to stop a run that is over
            connection.send(_run(order, data, connection))


def _end_with_the_server() -> None:
    """Follow the server into its end, even when it is killed and can tell nobody."""

    def wait() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _shared(data: Dataset) -> Dataset:
    for digits in (data.train, data.held_out, data.test):
        digits.images.share_memory_()
        digits.labels.share_memory_()
    return data


def _run(config: TrainConfig, data: Dataset, connection: Connection) -> Trained | Failed:
    progress = _Progress(config, connection)
    events = train(config, data, device=choose_device(), should_stop=connection.poll)
    finished = None
    try:
        for event in events:
            if isinstance(event, Finished):
                finished = event
            else:
                progress.note(event)
        progress.send()
    except TrainingError as error:
        progress.send()
        return Failed(str(error), finished and _trained(config, data, finished))
    except (RuntimeError, MemoryError) as error:
        return Failed(f"Training failed: {error}")
    return _trained(config, data, finished)


class _Progress:
    """Tells the server how far a run is, a few times a second."""

    def __init__(self, config: TrainConfig, connection: Connection):
        self.config = config
        self.connection = connection
        self.curve = LossCurve()
        self.history: list[EpochEnd] = []
        self.start = time.perf_counter()
        self.sent = -math.inf

    def note(self, event: BatchEnd | EpochEnd) -> None:
        if isinstance(event, EpochEnd):
            self.history.append(event)
            return
        self.latest = event
        self.curve.add(event)
        if time.perf_counter() - self.sent >= SECONDS_BETWEEN_SNAPSHOTS:
            self.send()

    def send(self) -> None:
        self.sent = time.perf_counter()
        self.connection.send(
            Snapshot(
                epoch=self.latest.epoch,
                epochs=self.config.epochs,
                batch=self.latest.batch,
                batches=self.latest.batches,
                images_per_second=self.latest.images_per_second,
                seconds=self.sent - self.start,
                loss_curve=tuple(self.curve.points),
                history=tuple(self.history),
            )
        )


def _trained(config: TrainConfig, data: Dataset, finished: Finished) -> Trained:
    model, best = finished.model, finished.best
    evaluation = evaluate(model, data.test)
    weights = weights_as_bytes(
        model,
        config=config.as_dict(),
        data=data.name,
        best_epoch=best.epoch,
        held_out_accuracy=best.held_out_accuracy,
        test_accuracy=best.test_accuracy,
    )
    report = Report(
        test_accuracy=evaluation.accuracy,
        errors=evaluation.errors,
        images=len(data.test),
        confusion_matrix=evaluation.confusion_matrix.numpy(),
        precision=evaluation.precision.numpy(),
        recall=evaluation.recall.numpy(),
        mistakes=_mistakes(evaluation, data),
        parameter_count=model.parameter_count,
        seconds=finished.history[-1].seconds,
        data=data.name,
    )
    return Trained(weights, model.temperature, best, report, finished.stopped)


def _mistakes(evaluation: Evaluation, data: Dataset) -> tuple[Mistake, ...]:
    predictions = evaluation.predictions
    return tuple(
        Mistake(
            image=data.test.images[index].numpy().copy(),
            label=int(evaluation.labels[index]),
            prediction=int(predictions[index]),
            probability=evaluation.probabilities[index].max().item(),
        )
        for index in evaluation.most_confident_mistakes(MISTAKES_SHOWN).tolist()
    )
