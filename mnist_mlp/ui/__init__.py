"""The gradio page; nothing outside this folder knows of it."""
