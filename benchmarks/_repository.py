"""Import this first: `python benchmarks/NAME.py` then finds the packages of the repository."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
