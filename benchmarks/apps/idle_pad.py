"""Our pad and answer over a `read` that does nothing: what remains is gradio and the browser."""

from typing import Any

import gradio as gr
from _launch import launch

from mnist_mlp.classify import Classifier
from mnist_mlp.preprocess import Drawing
from mnist_mlp.ui.answer import Answer, as_json
from mnist_mlp.ui.pad import Pad

SEVEN = Drawing.from_lists([[[70, 190, 110], [60, 60, 210]]])
READING = as_json(Classifier.load().read_drawing(SEVEN), revision=0)


async def read(value: dict[str, Any]) -> dict[str, Any]:
    return READING | {"revision": value["revision"]}


with gr.Blocks() as page, gr.Row():
    Pad(read, elem_id="digit-pad")
    Answer(elem_id="answer")

launch(page)
