"""The running page, as a visitor meets it: the real app.py, a real Chromium, real pen strokes."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

REPOSITORY = Path(__file__).parents[2]
PAD = 256
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # Chromium's own camera: a disc on green, and a clock
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_app(
    *arguments: str, script: Path = REPOSITORY / "app.py", cache: Path | None = None
) -> Iterator[str]:
    """Start a page as a process on a free port; yields its address once it answers.

    What gradio keeps of visitors' files goes to the cache.
    """
    port = free_port()
    command = [sys.executable, str(script), "--no-browser", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "GRADIO_TEMP_DIR": str(cache)} if cache else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_answered(url, process)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=20)


def wait_until_answered(url: str, process: subprocess.Popen, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"The page ended at once: {process.stdout.read()}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"No answer from {url} in {seconds:.0f} s.")


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


def open_page(browser: Browser, url: str, **context) -> Page:
    """A new visitor on the page, the pad ready to be drawn on."""
    page = browser.new_context(**context).new_page()
    page.goto(url)
    expect(page.locator("#digit-pad canvas")).to_be_visible(timeout=30_000)
    expect(page.locator("#answer .invitation")).to_be_visible()
    return page


def pen_digits(name: str) -> list[dict]:
    """The digits of a file beside MNIST: `pen/val_anywhere.ndjson` below MNIST_DATA_DIR."""
    path = Path(os.environ["MNIST_DATA_DIR"]) / "pen" / f"{name}.ndjson"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def draw(page: Page, drawing: list) -> None:
    """Draw strokes, in pad units, with the mouse."""
    x0, y0, scale = _pad_on_screen(page)
    for xs, ys in drawing:
        points = [(x0 + x * scale, y0 + y * scale) for x, y in zip(xs, ys, strict=True)]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def draw_with_finger(page: Page, drawing: list) -> None:
    """Draw strokes, in pad units, with a finger: touch events as the browser's input makes them."""
    x0, y0, scale = _pad_on_screen(page)
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        devtools.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
        )

    for xs, ys in drawing:
        points = [(x0 + x * scale, y0 + y * scale) for x, y in zip(xs, ys, strict=True)]
        touch("touchStart", points[0])
        for point in points[1:]:
            touch("touchMove", point)
        touch("touchEnd")


def _pad_on_screen(page: Page) -> tuple[float, float, float]:
    box = page.locator("#digit-pad canvas").bounding_box()
    return box["x"], box["y"], box["width"] / PAD


def clear(page: Page) -> None:
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#answer .invitation")).to_be_visible()


def settled_answer(page: Page) -> list[int]:
    """The three digits on the page, likeliest first, once the pad waits for no answer."""
    expect(page.locator("#digit-pad .pad")).to_have_attribute(
        "data-state", "answered", timeout=15_000
    )
    text = page.locator("#answer").inner_text()
    assert re.match(r"[\d?]\s", text), f"no answer on the page: {text[:80]!r}"
    return [
        int(row) for row in page.locator("#answer .guesses li span:first-child").all_inner_texts()
    ]


def post_to_pad(url: str, value) -> dict:
    """What pad.js posts while the pen moves."""
    with urllib.request.urlopen(f"{url}/config") as response:
        components = json.load(response)["components"]
    pad = next(c["id"] for c in components if c["props"].get("elem_id") == "digit-pad")
    body = {"data": value, "component_id": pad, "fn_name": "read", "session_hash": "test"}
    request = urllib.request.Request(
        f"{url}/gradio_api/component_server",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)
