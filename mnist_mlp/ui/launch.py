"""From options of the command line to the running page, for app.py and `mnist_mlp browse`."""

import argparse
import contextlib
import os
import socket
import sys
from pathlib import Path

PORTS_TO_TRY = 100


def add_page_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to serve on (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, default=7860, help="first port to try (default: 7860)")
    parser.add_argument("--share", action="store_true", help="make a public link as well")
    parser.add_argument("--weights", type=Path, help="a .safetensors or .pth file to start on")
    parser.add_argument(
        "--data-dir", type=Path, help="where MNIST is or goes (default: MNIST_DATA_DIR, else data)"
    )
    parser.add_argument(
        "--train-jobs", type=int, default=1, metavar="N", help="runs at a time (default: 1)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")


def free_port(host: str, first: int) -> int:
    """The first free port from `first` on; raises OSError when a hundred of them are taken."""
    for port in range(first, first + PORTS_TO_TRY):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return port
    raise OSError(f"No port from {first} to {first + PORTS_TO_TRY - 1} is free on {host}.")


def launch(options: argparse.Namespace, address: str = "") -> int:
    """Serve the page until Ctrl-C; returns the exit status.

    The address is what follows the page's own, such as "?tab=test-set".
    """
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_RUN_HISTORY": "False"}

    from mnist_mlp.classify import load_or_shipped
    from mnist_mlp.model import WeightsError
    from mnist_mlp.ui.jobs import TrainingLine
    from mnist_mlp.ui.page import build_page, serve
    from mnist_mlp.ui.sessions import Sessions

    try:
        port = free_port(options.host, options.port)
        classifier, notice = load_or_shipped(options.weights)
    except (OSError, WeightsError) as error:
        print(error, file=sys.stderr)
        return 2
    if port != options.port:
        print(f"Port {options.port} is taken; the page takes {port}.")
    if notice:
        print(notice)
    sessions = Sessions(classifier, TrainingLine(max(1, options.train_jobs), options.data_dir))
    serve(
        build_page(sessions, notice),
        sessions,
        host=options.host,
        port=port,
        address=address,
        share=options.share,
        open_browser=not options.no_browser,
    )
    return 0
