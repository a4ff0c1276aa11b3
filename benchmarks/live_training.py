"""Watching a run on the page: how soon, how often, and what it costs the run and the others."""

import re
import statistics
import sys
from pathlib import Path

import numpy as np
from _repository import parser_with_data_dir
from bars import passes
from playwright.sync_api import Browser, Page, expect
from train_script import epochs_of_train_script

from mnist_mlp.ui.jobs import threads_of_a_worker
from tests.browser.driver import (
    chromium,
    clear,
    draw,
    open_page,
    running_app,
    settled_answer,
)

BAR_FIRST_POINT = 1.5  # seconds from the click to the first point of the curve
BAR_UPDATES = 3  # distinct pictures of the curve a second
BAR_WATCHING = 1.05  # times train.py with the same settings and threads
BAR_OTHERS = 1.5  # 95th percentile from stroke to answer with a run going, times without one
BAR_MEMORY = 1.2  # of server and page after 20 runs, times before

STOPWATCH = Path(__file__).parent / "stopwatch.js"
THREADS = str(threads_of_a_worker())
RUNS_IN_TURN = 3
EPOCHS = 10
STROKES = 40
RUNS_FOR_MEMORY = 20
ZIGZAG = [[[60, 200, 70, 190, 110], [50, 60, 120, 130, 220]]]


def open_train_tab(browser: Browser, url: str) -> Page:
    page = open_page(browser, url, viewport={"width": 1280, "height": 800})
    page.get_by_role("tab", name="Train").click()
    expect(page.locator("#train-monitor .data")).to_contain_text("Data: ", timeout=60_000)
    return page


def fill(page: Page, name: str, value: str) -> None:
    page.locator(f"#{name} :is(input, textarea)").first.fill(value)


def train(page: Page) -> None:
    page.locator("#train-start").click()
    expect(page.locator("#train-status")).to_have_text(re.compile("^(Starting|Epoch|Waiting)"))


def wait_for_end(page: Page) -> str:
    ended = re.compile("^Test accuracy")
    expect(page.locator("#train-status")).to_have_text(ended, timeout=600_000)
    return page.locator("#train-status").inner_text()


def time_first_point_and_updates(page: Page) -> bool:
    """Watch the loss curve's pixels from within the page, a frame at a time."""
    page.evaluate(
        """() => {
            const canvas = document.querySelector("#train-loss canvas");
            const value = document.querySelector("#train-loss b");
            window.updates = [];
            let clicked = null, last = canvas.toDataURL();
            document.querySelector("#train-start").addEventListener("click",
                () => (clicked = performance.now()), {capture: true, once: true});
            const look = () => {
                const now = canvas.toDataURL();
                if (clicked !== null && now !== last && value.textContent)
                    updates.push((performance.now() - clicked) / 1000);
                last = now;
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    page.get_by_label("Fast").click()
    train(page)
    wait_for_end(page)
    updates = page.evaluate("updates")
    rate = (len(updates) - 1) / (updates[-1] - updates[0])
    return all(
        [
            passes("seconds to the first point", updates[0], "at most", BAR_FIRST_POINT),
            passes("updates of the curve a second", rate, "at least", BAR_UPDATES),
        ]
    )


def compare_training_time(page: Page, data_dir: Path) -> bool:
    """Seconds of the last epoch's end since the start of the run, on the page and in train.py."""
    watched, alone = [], []
    page.get_by_label("Tutorial").click()
    fill(page, "train-epochs", str(EPOCHS))
    for _ in range(RUNS_IN_TURN):
        train(page)
        wait_for_end(page)
        watched.append(seconds_of_the_run_on(page))
        alone.append(seconds_of_train_py(data_dir))
    print(f"        page: {_list(watched)} s; train.py: {_list(alone)} s")
    ratio = statistics.median(watched) / statistics.median(alone)
    return passes("training time, page / train.py", ratio, "at most", BAR_WATCHING)


def seconds_of_the_run_on(page: Page) -> float:
    link = page.get_by_role("link", name="History (CSV)").get_attribute("href")
    rows = page.request.get(f"{page.url.partition('?')[0]}{link}").text().splitlines()
    return float(dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))["seconds"])


def seconds_of_train_py(data_dir: Path) -> float:
    options = ("--epochs", str(EPOCHS), "--threads", THREADS)
    return epochs_of_train_script(data_dir, *options)[-1]["seconds"]


def compare_others(browser: Browser, url: str, trainer: Page) -> bool:
    """Another visitor's wait from the end of a stroke to the painted answer."""
    page = open_page(browser, url, viewport={"width": 1280, "height": 800})
    page.add_script_tag(path=STOPWATCH)
    waits = {"without a run": stroke_waits(page)}
    fill(trainer, "train-epochs", "50")
    train(trainer)
    expect(trainer.locator("#train-status")).to_have_text(re.compile("^Epoch"))
    waits["with a run going"] = stroke_waits(page)
    trainer.locator("#train-stop").click()
    wait_for_end(trainer)
    page.context.close()
    late = {}
    for name, milliseconds in waits.items():
        median, late[name] = np.quantile(milliseconds, (0.5, 0.95))
        print(f"        stroke to answer {name}: median {median:.1f} ms, 95th {late[name]:.1f} ms")
    ratio = late["with a run going"] / late["without a run"]
    return passes("95th percentile, with / without a run", ratio, "under", BAR_OTHERS)


def stroke_waits(page: Page) -> list[float]:
    waits = []
    for _ in range(STROKES):
        page.evaluate(
            "window.latency = null; watchStrokeEnd(() => "
            "document.querySelector('#digit-pad .pad').dataset.state === 'answered')"
        )
        draw(page, ZIGZAG)
        waits.append(page.wait_for_function("window.latency").json_value())
        settled_answer(page)
        clear(page)
    return waits


def compare_memory(page: Page, server: int) -> bool:
    fill(page, "train-epochs", "1")
    fill(page, "train-train-images", "5000")
    fill(page, "train-batch-size", "512")
    train_times(page, 3)  # what the first runs leave in caches does not grow on
    before = memory_of_server(server), memory_of(page)
    train_times(page, RUNS_FOR_MEMORY)
    after = memory_of_server(server), memory_of(page)
    print(f"        server: {before[0]:.0f} MB, then {after[0]:.0f} MB")
    print(f"        page: {before[1]:.1f} MB, then {after[1]:.1f} MB")
    return all(
        [
            passes(
                "server's memory, after / before 20 runs",
                after[0] / before[0],
                "at most",
                BAR_MEMORY,
            ),
            passes(
                "page's memory, after / before 20 runs", after[1] / before[1], "at most", BAR_MEMORY
            ),
        ]
    )


def train_times(page: Page, runs: int) -> None:
    for _ in range(runs):
        title = page.locator("#train-report h3").inner_text()
        train(page)
        expect(page.locator("#train-report h3")).not_to_have_text(title, timeout=60_000)


def process_of(url: str) -> int:
    """The process of the app.py that serves this page."""
    port = url.rpartition(":")[2].encode()
    return next(
        int(file.parent.name)
        for file in Path("/proc").glob("[0-9]*/cmdline")
        if {b"--port", port} <= set(file.read_bytes().split(b"\0"))
    )


def memory_of_server(process: int) -> float:
    """Resident megabytes of the server itself."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def memory_of(page: Page) -> float:
    """Megabytes of JavaScript objects that live on after a collection."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    return devtools.send("Runtime.getHeapUsage")["usedSize"] / 2**20


def _list(seconds: list[float]) -> str:
    return ", ".join(f"{each:.1f}" for each in seconds)


def main() -> int:
    options = parser_with_data_dir(__doc__).parse_args()
    with chromium() as browser, running_app("--data-dir", str(options.data_dir.resolve())) as url:
        page = open_train_tab(browser, url)
        passed = [
            time_first_point_and_updates(page),
            compare_training_time(page, options.data_dir),
            compare_others(browser, url, page),
            compare_memory(page, process_of(url)),
        ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
