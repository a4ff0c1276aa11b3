"""Start: from `python app.py` to its first answered request, beside an empty gradio page."""

import argparse
import statistics
import sys
import time
from pathlib import Path

import _repository  # noqa: F401
from bars import passes

from tests.browser.driver import REPOSITORY, running_app

BAR = 1.4  # times the empty page's

PAGES = {
    "app.py": REPOSITORY / "app.py",
    "empty page": Path(__file__).parent / "apps" / "empty_page.py",
}


def seconds_to_first_answer(script: Path) -> float:
    start = time.perf_counter()
    with running_app(script=script):
        return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each page, in turn (default: 5)")
    options = parser.parse_args()

    for script in PAGES.values():
        seconds_to_first_answer(script)  # the first reads the packages from disk
    seconds = {name: [] for name in PAGES}
    for _ in range(options.runs):
        for name, script in PAGES.items():
            seconds[name].append(seconds_to_first_answer(script))
    medians = {name: statistics.median(runs) for name, runs in seconds.items()}
    for name, runs in seconds.items():
        print(f"{name}: median {medians[name]:.2f} s of {', '.join(f'{run:.2f}' for run in runs)}")

    ratio = medians["app.py"] / medians["empty page"]
    return 0 if passes("start, app.py / empty page", ratio, "at most", BAR) else 1


if __name__ == "__main__":
    sys.exit(main())
