"""The least that any page with a network costs: gradio and PyTorch imported, one line shown."""

from _launch import launch

import gradio as gr
import torch

with gr.Blocks() as page:
    gr.Markdown(f"PyTorch {torch.__version__}")

launch(page)
