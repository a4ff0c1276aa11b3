"""Train the network: `python train.py`, or on several processes `torchrun train.py`."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path

from mnist_mlp import __version__

EXIT_FAILED = 1
EXIT_WRONG_USAGE = 2
EXIT_INTERRUPTED = 130


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--preset",
        default="tutorial",
        help="tutorial (default: Adam at 0.001, batches of 64, 10 epochs), fast or best; each "
        "option below replaces one of its settings",
    )
    settings = parser.add_argument_group("settings")
    settings.add_argument("--epochs", type=int, help="passes over the training images")
    settings.add_argument("--batch-size", type=int, help="images a step")
    settings.add_argument("--learning-rate", type=float, help="of a one-cycle run, the highest")
    settings.add_argument(
        "--hidden-sizes",
        type=_sizes,
        metavar="N,N,...",
        help='units of the hidden layers, "256,128,64" by default; "" for a linear classifier',
    )
    settings.add_argument(
        "--optimizer", help="adam, adamw, sgd (with momentum 0.9) or muon (AdamW for the biases)"
    )
    settings.add_argument("--schedule", help="of the learning rate: constant, one-cycle or linear")
    settings.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        help="learn from distorted copies of the images as well",
    )
    settings.add_argument(
        "--averaged",
        action=argparse.BooleanOptionalAction,
        help="average the weights over the last few hundred steps",
    )
    settings.add_argument(
        "--teacher-epochs",
        type=int,
        help="train a convolutional network for so many epochs first, and learn its probabilities",
    )
    settings.add_argument(
        "--non-digits",
        type=int,
        help="add so many scribbles, letters and shapes, of which no digit is to be likely",
    )
    settings.add_argument("--train-images", type=int, help="train on the first so many (all)")
    settings.add_argument("--seed", type=int, help="the same seed gives the same weights on a CPU")
    machine = parser.add_argument_group("machine and files")
    machine.add_argument(
        "--data-dir", type=Path, help="where MNIST is or goes (default: MNIST_DATA_DIR, else data)"
    )
    machine.add_argument(
        "--drawings",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="train on the digits of these .ndjson files as well",
    )
    machine.add_argument("--device", default="auto", help="auto (default), cuda, mps or cpu")
    machine.add_argument("--threads", type=int, help="processor threads (default: PyTorch's)")
    machine.add_argument(
        "--output",
        type=Path,
        default=Path("runs/latest"),
        help="folder for weights.safetensors, history.json and training_curves.png "
        "(default: runs/latest)",
    )
    return parser.parse_args(arguments)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.replace(",", " ").split())


def run(options: argparse.Namespace) -> int:
    import torch

    from mnist_mlp.data import DataError
    from mnist_mlp.training import TrainingError, choose_device, prepare_process, train

    try:
        config = _config(options)
        device = choose_device(options.device)
    except ValueError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USAGE
    prepare_process(options.threads)

    with _process_group(device) as (rank, device), _stop_on_interrupt() as is_interrupted:
        try:
            data = _in_turn(rank, lambda: _load(options, config))
        except DataError as error:
            print(error, file=sys.stderr)
            return EXIT_WRONG_USAGE
        if rank == 0:
            print(data.notice)
            print(f"Device: {device}, {torch.get_num_threads()} threads.")
        try:
            events = train(config, data, device=device, should_stop=is_interrupted)
            finished = _show(events, config, silent=rank > 0)
        except TrainingError as error:
            print(error, file=sys.stderr)
            return EXIT_FAILED
        if rank == 0:
            save(options.output, config, data, finished)
            print(
                f"Best epoch: {finished.best.epoch}, with {finished.best.test_accuracy:.2%} on the "
                f"test set. Its weights are in {options.output}."
            )
        return EXIT_INTERRUPTED if is_interrupted() else 0


def _load(options: argparse.Namespace, config):
    from mnist_mlp.data import load_dataset, read_drawings, with_drawings
    from mnist_mlp.scribbles import with_non_digits

    labelled = read_drawings(*options.drawings) if options.drawings else None
    data = load_dataset(options.data_dir)
    if labelled:
        data = with_drawings(data, labelled, config.seed)
    if config.non_digits:
        data = with_non_digits(data, config.non_digits, config.seed, labelled)
    return data


def _config(options: argparse.Namespace):
    from mnist_mlp.training import PRESETS, TrainConfig

    if options.preset not in PRESETS:
        raise ValueError(f"The preset must be one of {', '.join(PRESETS)}, not {options.preset!r}.")
    names = [field.name for field in fields(TrainConfig) if hasattr(options, field.name)]
    chosen = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return replace(PRESETS[options.preset], **chosen)


@contextmanager
def _process_group(device) -> Iterator[tuple[int, object]]:
    """Under torchrun, join the other processes; yields this one's rank and its device."""
    if "LOCAL_RANK" not in os.environ:
        yield 0, device
        return
    import torch
    from torch import distributed

    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield distributed.get_rank(), device
    finally:
        distributed.destroy_process_group()


def _in_turn(rank: int, load: Callable):
    """Let the first process download before the others look, so that they do not all do it."""
    from torch import distributed

    if not distributed.is_initialized():
        return load()
    if rank > 0:
        distributed.barrier()
        return load()
    loaded = load()
    distributed.barrier()
    return loaded


@contextmanager
def _stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish to stop, which training asks for; the second is final."""
    interrupted = False

    def note(*_) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _show(events: Iterator, config, *, silent: bool):
    """Draw a bar for each epoch and print a line after it; returns the last event, `Finished`."""
    from tqdm import tqdm

    from mnist_mlp.training import BatchEnd, EpochEnd, OfTeacher

    bar = None
    for event in events:
        title, of = "Epoch", config.epochs
        if isinstance(event, OfTeacher):
            title, of, event = "Teacher's epoch", config.teacher_epochs, event.event
        if isinstance(event, BatchEnd) and not silent:
            if event.batch == 1:
                title = f"{title} {event.epoch}/{of}"
                bar = tqdm(total=event.batches, desc=title, unit="batch", leave=False)
            bar.set_postfix_str(
                f"loss {event.loss:.3f}, accuracy {event.running_accuracy:.2%}", refresh=False
            )
            bar.update()
        elif isinstance(event, EpochEnd) and not silent:
            if bar:
                bar.close()
            print(
                f"{title} {event.epoch:>{len(str(of))}}/{of}: loss {event.loss:.4f}, "
                f"train {event.train_accuracy:.2%}, held-out {event.held_out_accuracy:.2%}, "
                f"test {event.test_accuracy:.2%}, {event.images_per_second:,.0f} images/s"
                f"{', best so far' if event.is_best else ''}"
            )
    return event


def save(folder: Path, config, data, finished) -> None:
    """Write the best weights, the history and the curves of a run into a folder."""
    from mnist_mlp.model import save_weights, write_atomically
    from mnist_mlp.plots import training_curves

    best = finished.best
    save_weights(
        finished.model,
        folder / "weights.safetensors",
        config=config.as_dict(),
        data=data.name,
        best_epoch=best.epoch,
        held_out_accuracy=best.held_out_accuracy,
        test_accuracy=best.test_accuracy,
    )
    history = {
        "config": config.as_dict(),
        "data": data.name,
        "epochs": [asdict(epoch) for epoch in finished.history],
    }
    write_atomically(folder / "history.json", json.dumps(history, indent=1).encode())
    training_curves(finished.history).savefig(folder / "training_curves.png", dpi=120)


def main() -> int:
    try:
        return run(parse_arguments())
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
