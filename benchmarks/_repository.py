"""Import this first: `python benchmarks/NAME.py` then finds the packages of the repository."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def parser_with_data_dir(description: str) -> argparse.ArgumentParser:
    from mnist_mlp.data import default_data_dir

    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=default_data_dir(),
        help="where MNIST and pen/*.ndjson are (default: MNIST_DATA_DIR, else data)",
    )
    return parser
