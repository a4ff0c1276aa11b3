"""Status and live curves of a visitor's training runs."""

from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr

from mnist_mlp.ui.assets import component_files
from mnist_mlp.ui.jobs import TrainingLine
from mnist_mlp.ui.sessions import Run
from mnist_mlp.ui.worker import Failed, Snapshot


class Monitor(gr.HTML):
    """Follows the run that its value names, `{"session": key, "run": number, "label": text}`.

    `progress` is called five times a second while a run is going, with the session and the run,
    and returns what `progress_as_json` makes. The event `finished` comes when the run is over,
    `forget` when the visitor clears the earlier runs.
    """

    def __init__(self, progress: Callable[[dict], Awaitable[dict]], **options: Any):
        super().__init__(
            value=None,
            server_functions=[progress],
            apply_default_css=False,
            **component_files("monitor"),
            **options,
        )


def progress_as_json(run: Run | None, line: TrainingLine) -> dict[str, Any]:
    """A run as the page gets it: state, status in words, share done, and the curves so far."""
    loaded = line.data is not None
    answer: dict[str, Any] = {
        "state": "idle",
        "status": "",
        "done": 0.0,
        "loaded": loaded,
        "data": line.data.notice if loaded else "Loading the training data.",
    }
    if run is None:
        return answer
    snapshot = run.job.snapshot
    if run.is_over:
        answer |= {"state": "ended", "status": outcome_in_words(run), "done": 1.0}
    elif snapshot is None:
        answer |= {"state": "waiting", "status": _waiting_in_words(line.place(run.job), loaded)}
    else:
        answer |= {
            "state": "running",
            "status": _snapshot_in_words(snapshot),
            "done": _share_done(snapshot),
        }
    if snapshot:
        answer |= {
            "loss": [[round(x, 4), round(y, 5)] for x, y in snapshot.loss_curve],
            "epochs": [[e.epoch, e.train_accuracy, e.test_accuracy] for e in snapshot.history],
            "total": snapshot.epochs,
        }
    return answer


def _waiting_in_words(place: int, loaded: bool) -> str:
    if not loaded:
        return "Waiting for the training data to be loaded."
    if place > 1:
        return f"Waiting in line: {place - 1} ahead of you, besides the run that is going."
    if place == 1:
        return "Waiting in line: you are next."
    return "Starting."


def _share_done(snapshot: Snapshot) -> float:
    return (snapshot.epoch - 1 + snapshot.batch / snapshot.batches) / snapshot.epochs


def _snapshot_in_words(snapshot: Snapshot) -> str:
    done = _share_done(snapshot)
    left = snapshot.seconds * (1 - done) / done
    accuracy = (
        f"test accuracy {snapshot.history[-1].test_accuracy:.2%}, " if snapshot.history else ""
    )
    return (
        f"Epoch {snapshot.epoch} of {snapshot.epochs}, batch {snapshot.batch:,} of "
        f"{snapshot.batches:,}: {accuracy}{snapshot.images_per_second:,.0f} images a second, "
        f"about {duration(left)} left."
    )


def outcome_in_words(run: Run) -> str:
    """How a run ended; the test accuracy of its network comes first."""
    outcome = run.job.outcome
    trained = run.trained
    accuracy = (
        f"Test accuracy {trained.report.test_accuracy:.2%}, from epoch {trained.best.epoch}, "
        f"after {duration(trained.report.seconds)}."
        if trained
        else ""
    )
    if isinstance(outcome, Failed):
        return f"{outcome.sentence} {accuracy}".strip()
    return f"{accuracy} You stopped the run." if outcome.stopped else accuracy


def duration(seconds: float) -> str:
    """A length of time as a person would say it."""
    if seconds < 1.5:
        return "1 second"
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"
