"""What a finished run comes to: figures, confusion matrix, mistakes, and files to take home."""

import base64
import csv
import io
from dataclasses import asdict, fields
from typing import Any

import gradio as gr
import torch
from safetensors.torch import load
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mnist_mlp.training import EpochEnd
from mnist_mlp.ui.assets import component_files
from mnist_mlp.ui.monitor import duration
from mnist_mlp.ui.sessions import Run, Session, Sessions
from mnist_mlp.ui.settings import label_of


class Report(gr.HTML):
    """Shows what `report_as_json` makes of a run; nothing for None."""

    def __init__(self, **options: Any):
        super().__init__(
            value=None,
            apply_default_css=False,
            **component_files("report", "pixels", "confusion"),
            **options,
        )


def report_as_json(session: Session, run: Run) -> dict[str, Any]:
    report = run.trained.report
    return {
        "title": f"Run {run.number}: {report.test_accuracy:.2%} on the test set",
        "facts": (
            f"{report.errors:,} of {report.images:,} test images read wrong. "
            f"{report.parameter_count:,} parameters, trained for {duration(report.seconds)} on "
            f"{report.data}: {label_of(run.job.config)}."
        ),
        "downloads": [
            {"href": f"runs/{session.key}/{run.number}/{name}", "text": text}
            for name, (text, _, _) in DOWNLOADS.items()
        ],
        "confusion": report.confusion_matrix.tolist(),
        "precision": report.precision.tolist(),
        "recall": report.recall.tolist(),
        "mistakes": [
            {
                "pixels": base64.b64encode(mistake.image).decode(),
                "label": mistake.label,
                "prediction": mistake.prediction,
                "probability": mistake.probability,
            }
            for mistake in report.mistakes
        ],
    }


def _safetensors(run: Run) -> bytes:
    return run.trained.weights


def _state_dict(run: Run) -> bytes:
    """As `torch.save(model.state_dict(), ...)` writes it, the tutorial's own form.

    That has no place for a temperature, so the last layer is divided by it.
    """
    state = load(run.trained.weights)
    for kind in ("weight", "bias"):
        state[f"fc{len(state) // 2}.{kind}"] /= run.trained.temperature
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _curves(run: Run) -> bytes:
    from mnist_mlp.plots import training_curves

    buffer = io.BytesIO()
    training_curves(run.job.snapshot.history).savefig(buffer, dpi=120)
    return buffer.getvalue()


def _history(run: Run) -> bytes:
    text = io.StringIO()
    columns = [field.name for field in fields(EpochEnd)]
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in run.job.snapshot.history)
    return text.getvalue().encode()


DOWNLOADS = {
    "weights.safetensors": ("Weights (safetensors)", "application/octet-stream", _safetensors),
    "weights.pth": ("Weights (.pth for PyTorch)", "application/octet-stream", _state_dict),
    "training_curves.png": ("Curves (PNG)", "image/png", _curves),
    "history.csv": ("History (CSV)", "text/csv", _history),
}


def download_route(sessions: Sessions) -> Route:
    """Files of a visitor's runs, made when they are asked for: nothing is left on the disk."""

    def download(request: Request) -> Response:
        parameters = request.path_params
        session = sessions.get(parameters["key"])
        run = session and session.runs.get(parameters["number"])
        if not run or not run.is_over or not run.trained or parameters["name"] not in DOWNLOADS:
            return Response("There is no such file; its page may have been closed.", 404)
        _, media_type, content = DOWNLOADS[parameters["name"]]
        return Response(
            content(run),
            media_type=media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{parameters["name"]}"',
                "Cache-Control": "no-store",
            },
        )

    return Route("/runs/{key}/{number:int}/{name}", download)
