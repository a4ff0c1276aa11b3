"""Waiting for an answer: our page beside gradio's own pad, and beside itself with nothing to do."""

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from _repository import parser_with_data_dir
from bars import passes
from playwright.sync_api import Browser, Page

from mnist_mlp.classify import Classifier
from mnist_mlp.data import DataError, read_drawings
from mnist_mlp.preprocess import PAD_SIZE, Drawing
from tests.browser.driver import REPOSITORY, chromium, open_page, running_app, settled_answer

BAR_STROKE_END = 30  # times sooner than gr.Sketchpad, from pointer up to the painted answer
BAR_WHILE_DRAWING = 2  # times our page with an idle `read`, from pointer move to painted answer
BAR_READING = 1.5  # ms to render, preprocess and classify a drawing on one core
BAR_LOADING = 50  # ms to load the shipped weights

APPS = Path(__file__).parent / "apps"
STOPWATCH = Path(__file__).parent / "stopwatch.js"
DRAWING_SIDE = 200  # CSS pixels; there is room for them in the middle of either pad
POINTS_A_STROKE = 16

LabelledDrawing = tuple[Drawing, int]


def pen_digits(data_dir: Path, name: str) -> list[LabelledDrawing]:
    try:
        pen = read_drawings(data_dir / "pen" / f"{name}.ndjson")
    except DataError as error:
        print(f"{error} Circles are drawn instead.")
        return [(circle(radius), 0) for radius in range(30, 120, 10)]
    return list(zip(pen.drawings, pen.labels.tolist(), strict=True))


def circle(radius: float) -> Drawing:
    angles = np.linspace(0, 2 * np.pi, 48)
    points = PAD_SIZE / 2 + radius * np.stack([np.sin(angles), np.cos(angles)])
    return Drawing.from_lists([points.tolist()])


def single_strokes(digits: list[LabelledDrawing]) -> list[LabelledDrawing]:
    """The first drawing of each digit that was drawn without lifting the pen."""
    first = {}
    for drawing, label in digits:
        if len(drawing.strokes) == 1:
            first.setdefault(label, drawing)
    return [(drawing, label) for label, drawing in sorted(first.items())]


def thinned(drawing: Drawing) -> Drawing:
    """Each stroke in few straight lines: without a GPU gr.Sketchpad takes long over each move."""
    strokes = [
        stroke[np.linspace(0, len(stroke) - 1, POINTS_A_STROKE).round().astype(int)]
        for stroke in drawing.strokes
    ]
    return replace(drawing, strokes=tuple(strokes))


def draw(page: Page, drawing: Drawing) -> None:
    """Draw in the middle of either pad, equally large on the screen."""
    box = page.locator("#digit-pad canvas").first.bounding_box()
    left = box["x"] + (box["width"] - DRAWING_SIDE) / 2
    top = box["y"] + (box["height"] - DRAWING_SIDE) / 2
    for stroke in drawing.strokes:
        points = (stroke * (DRAWING_SIDE / PAD_SIZE) + (left, top)).tolist()
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def open_sketchpad(browser: Browser, url: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(url)
    page.get_by_label("Brush").click()
    return page


@dataclass(frozen=True)
class Side:
    """A page with a pad: how it is opened, where its answer stands, and when that is there."""

    name: str
    script: Path
    open: Callable[[Browser, str], Page]
    answer: str  # selector
    is_answered: str  # JavaScript


OURS = Side(
    "app.py",
    REPOSITORY / "app.py",
    open_page,
    answer="#answer .digit",
    is_answered="document.querySelector('#digit-pad .pad').dataset.state === 'answered'",
)
SKETCHPAD = Side(
    "gr.Sketchpad",
    APPS / "sketchpad.py",
    open_sketchpad,
    answer="#answer [data-testid=label-output-value]",
    is_answered="document.querySelector('#answer [data-testid=label-output-value]') !== null",
)


def compare_stroke_ends(browser: Browser, digits: list[LabelledDrawing]) -> bool:
    waits = {OURS: [], SKETCHPAD: []}
    right = {OURS: 0, SKETCHPAD: 0}
    with ExitStack() as apps:
        urls = {side: apps.enter_context(running_app(script=side.script)) for side in waits}
        for side, url in urls.items():
            wait_after_stroke(
                side, browser, url, thinned(digits[0][0])
            )  # a first answer takes longer
        for drawing, label in digits:
            for side, url in urls.items():
                wait, answer = wait_after_stroke(side, browser, url, thinned(drawing))
                waits[side].append(wait)
                right[side] += answer == str(label)
    for side in waits:
        report(f"pointer up to painted answer, {side.name}", waits[side])
        print(f"        {right[side]} of {len(digits)} read right")
    return passes(
        "pointer up to painted answer, gr.Sketchpad / app.py",
        statistics.median(waits[SKETCHPAD]) / statistics.median(waits[OURS]),
        "at least",
        BAR_STROKE_END,
    )


def wait_after_stroke(
    side: Side, browser: Browser, url: str, drawing: Drawing
) -> tuple[float, str]:
    """Draw as a new visitor; milliseconds from pointer up to the painted answer, and that answer.

    A new visitor, because gradio's label is empty only then: any answer in it is to this drawing.
    """
    page = side.open(browser, url)
    page.add_script_tag(path=STOPWATCH)
    page.evaluate(f"watchStrokeEnd(() => {side.is_answered})")
    draw(page, drawing)
    wait = page.wait_for_function("window.latency").json_value()
    answer = page.locator(side.answer).inner_text()
    page.context.close()
    return wait, answer


def compare_while_drawing(browser: Browser, digits: list[LabelledDrawing]) -> bool:
    scripts = {"app.py": REPOSITORY / "app.py", "idle pad": APPS / "idle_pad.py"}
    with ExitStack() as apps:
        pages = {
            name: open_page(browser, apps.enter_context(running_app(script=script)))
            for name, script in scripts.items()
        }
        for page in pages.values():
            page.add_script_tag(path=STOPWATCH)
            page.evaluate("watchDrawing()")
        for drawing, _ in digits:
            for page in pages.values():
                draw(page, drawing)
                settled_answer(page)
                page.get_by_role("button", name="Clear").click()
        waits = {name: page.evaluate("latencies") for name, page in pages.items()}
    for name in scripts:
        report(f"pointer move to painted answer, {name}", waits[name])
    return passes(
        "pointer move to painted answer, app.py / idle pad",
        statistics.median(waits["app.py"]) / statistics.median(waits["idle pad"]),
        "under",
        BAR_WHILE_DRAWING,
    )


def time_reading(digits: list[LabelledDrawing]) -> bool:
    torch.set_num_threads(1)
    classifier = Classifier.load()
    classifier.read_drawing(digits[0][0])
    milliseconds = []
    for drawing, _ in digits:
        start = time.perf_counter()
        classifier.read_drawing(drawing)
        milliseconds.append(1000 * (time.perf_counter() - start))
    report("rendering, preprocessing and network, one core", milliseconds)
    return passes(
        "ms for rendering, preprocessing and network",
        statistics.median(milliseconds),
        "under",
        BAR_READING,
    )


def time_loading() -> bool:
    milliseconds = []
    for _ in range(50):
        start = time.perf_counter()
        Classifier.load()
        milliseconds.append(1000 * (time.perf_counter() - start))
    report("loading the shipped weights", milliseconds)
    claim = "ms for loading the shipped weights"
    return passes(claim, statistics.median(milliseconds), "under", BAR_LOADING)


def report(what: str, milliseconds: list[float]) -> None:
    median, late = np.quantile(milliseconds, (0.5, 0.95))
    print(
        f"        {what}: median {median:.2f} ms, 95th percentile {late:.2f} ms "
        f"over {len(milliseconds):,}"
    )


def main() -> int:
    options = parser_with_data_dir(__doc__).parse_args()
    digits = single_strokes(pen_digits(options.data_dir, "val"))
    with chromium() as browser:
        passed = [compare_stroke_ends(browser, digits), compare_while_drawing(browser, digits)]
    passed.append(time_reading(pen_digits(options.data_dir, "val_anywhere")))
    passed.append(time_loading())
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
