"""Open the page on which a digit is drawn and read: `python app.py`."""

import argparse
import sys

from mnist_mlp import __version__
from mnist_mlp.ui.launch import add_page_options, launch


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    add_page_options(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(launch(parse_arguments()))
