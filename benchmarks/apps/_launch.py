"""Import this first in a page of this folder: the repository on the path, and `launch`."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"


def launch(page: "gr.Blocks") -> None:
    """Serve the page on --port with the options that app.py serves its own with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--no-browser", action="store_true", help="never is one opened here")
    options = parser.parse_args()
    page.launch(
        server_name="127.0.0.1",
        server_port=options.port,
        quiet=True,
        show_error=True,
        ssr_mode=False,
        run_history=False,
    )
