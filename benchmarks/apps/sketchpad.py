"""The pad that gradio brings, with our classifier behind it: what a short demo would use."""

from typing import Any

import gradio as gr
from _launch import launch

from mnist_mlp.classify import Classifier

classifier = Classifier.load()


def read(drawing: dict[str, Any]) -> dict[str, float]:
    reading = classifier.read_picture(drawing["composite"])
    return {str(guess.digit): guess.probability for guess in reading.guesses}


with gr.Blocks() as page:
    pad = gr.Sketchpad(type="pil", elem_id="digit-pad")
    answer = gr.Label(elem_id="answer")
    pad.change(read, pad, answer)

launch(page)
