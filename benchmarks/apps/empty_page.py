"""The least that any page with a network costs: gradio and PyTorch imported, one line shown."""

import gradio as gr
import torch
from _launch import launch

with gr.Blocks() as page:
    gr.Markdown(f"PyTorch {torch.__version__}")

launch(page)
