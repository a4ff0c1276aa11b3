"""The Train tab: settings on the left, live curves on the right, the report below."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from mnist_mlp.training import OPTIMIZERS, SCHEDULES
from mnist_mlp.ui.monitor import Monitor, progress_as_json
from mnist_mlp.ui.report import Report
from mnist_mlp.ui.sessions import Sessions
from mnist_mlp.ui.settings import CUSTOM, HELP, PAGE_PRESETS, fields_of

PRESET_HELP = (
    "Tutorial: as in the tutorial, about 15 seconds. Fast: 97.5% in a few seconds. "
    "Best: most of how the shipped network was made, about three minutes. "
    "Times are for two cores."
)


@dataclass(frozen=True)
class TrainTab:
    preset: gr.Radio
    fields: dict[str, gr.components.Component]  # as settings.FIELDS
    start: gr.Button
    stop: gr.Button
    preview: gr.HTML
    monitor: Monitor
    report: Report


def build_train_tab(sessions: Sessions) -> TrainTab:
    async def progress(asked: Any) -> dict[str, Any]:
        """Tell a visitor's page how far its run is."""
        asked = asked if isinstance(asked, dict) else {}
        session, number = sessions.get(asked.get("session")), asked.get("run")
        run = session.runs.get(number) if session and isinstance(number, int) else None
        return progress_as_json(run, sessions.line)

    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            preset = gr.Radio(
                [(name.capitalize(), name) for name in (*PAGE_PRESETS, CUSTOM)],
                value="tutorial",
                label="Preset",
                info=PRESET_HELP,
                elem_id="train-preset",
            )
            with gr.Row():
                # The page's load event brings the visitor's key, and then this can be pressed.
                start = gr.Button(
                    "Train", variant="primary", interactive=False, elem_id="train-start"
                )
                stop = gr.Button("Stop", elem_id="train-stop")
            fields = _fields()
            preview = gr.HTML(elem_id="train-preview")
        with gr.Column(scale=3, min_width=300):
            monitor = Monitor(progress, elem_id="train-monitor")
    report = Report(elem_id="train-report")
    return TrainTab(preset, fields, start, stop, preview, monitor, report)


def _fields() -> dict[str, gr.components.Component]:
    values = fields_of(PAGE_PRESETS["tutorial"])

    def options(name: str, label: str) -> dict[str, Any]:
        return {
            "value": values[name],
            "label": label,
            "info": HELP[name],
            "elem_id": f"train-{name.replace('_', '-')}",
            "min_width": 140,
        }

    with gr.Row():
        epochs = gr.Textbox(**options("epochs", "Epochs"))
        batch_size = gr.Textbox(**options("batch_size", "Batch size"))
    with gr.Row():
        learning_rate = gr.Textbox(**options("learning_rate", "Learning rate"))
        train_images = gr.Textbox(**options("train_images", "Training images"))
    hidden_sizes = gr.Textbox(**options("hidden_sizes", "Hidden layers"))
    with gr.Row():
        names = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "muon": "Muon"}
        optimizer = gr.Dropdown(
            [(names[name], name) for name in OPTIMIZERS], **options("optimizer", "Optimizer")
        )
        schedule = gr.Dropdown(
            [(name.capitalize(), name) for name in SCHEDULES], **options("schedule", "Schedule")
        )
    with gr.Row():
        augment = gr.Checkbox(**options("augment", "Random distortions"))
        averaged = gr.Checkbox(**options("averaged", "Averaged weights"))
    seed = gr.Textbox(**options("seed", "Seed"))
    return {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "hidden_sizes": hidden_sizes,
        "optimizer": optimizer,
        "schedule": schedule,
        "train_images": train_images,
        "augment": augment,
        "averaged": averaged,
        "seed": seed,
    }
