"""The Train tab in a real Chromium, over a real worker process."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mnist_mlp.classify import Classifier
from mnist_mlp.preprocess import Drawing
from tests.browser.driver import REPOSITORY, clear, draw, post_to_pad, settled_answer

SEVEN = [[[60, 200, 110], [50, 50, 220]]]
A_MINUTE = 60_000


@pytest.fixture
def training(visit: Callable[..., Page]) -> Page:
    """A visitor on the Train tab, the data loaded."""
    return open_train_tab(visit())


def open_train_tab(page: Page) -> Page:
    page.get_by_role("tab", name="Train").click()
    expect(page.locator("#train-monitor .data")).to_contain_text("Data: ", timeout=A_MINUTE)
    return page


def fill(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"#train-{name.replace('_', '-')} :is(input, textarea)").first.fill(value)


def train(page: Page) -> None:
    page.locator("#train-start").click()


def status(page: Page) -> str:
    return page.locator("#train-status").inner_text()


def wait_for_status(page: Page, pattern: str, timeout: int = A_MINUTE) -> str:
    expect(page.locator("#train-status")).to_have_text(re.compile(pattern), timeout=timeout)
    return status(page)


def test_a_click_on_train_before_the_page_has_loaded_is_not_lost(browser, app_url: str):
    page = browser.new_page()

    held_back = []
    page.route("**/gradio_api/run/**", lambda route: held_back.append(route), times=1)
    page.goto(app_url)
    page.get_by_role("tab", name="Train").click()
    expect(page.locator("#train-start")).to_be_disabled()
    held_back[0].continue_()
    train(page)  # playwright, like a visitor, waits until the button can be pressed
    wait_for_status(page, "Epoch")
    page.close()


def test_the_digit_on_the_pad_is_shown_distorted(page: Page):
    draw(page, SEVEN)
    settled_answer(page)
    page.get_by_role("tab", name="Train").click()
    preview = page.locator("#train-preview")
    expect(preview).to_contain_text("What is on your pad")
    image = preview.locator("img")
    assert image.evaluate("image => image.naturalHeight") == 28
    drawn = image.get_attribute("src")

    page.get_by_role("tab", name="Draw").click()
    clear(page)
    page.get_by_role("tab", name="Train").click()
    expect(preview).to_contain_text("A 7")
    assert image.get_attribute("src") != drawn


def download(page: Page, text: str, folder: Path) -> Path:
    with page.expect_download() as event:
        page.get_by_role("link", name=text).click()
    path = folder / event.value.suggested_filename
    event.value.save_as(path)
    return path


def choose_dropdown(page: Page, name: str, option: str) -> None:
    page.locator(f"#train-{name} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def picture(page: Page, name: str) -> str:
    return page.locator(f"#{name} canvas").evaluate("canvas => canvas.toDataURL()")


def test_fast_from_click_to_drawing(training: Page, tmp_path: Path):
    page = training
    page.get_by_label("Fast").click()
    expect(page.locator("#train-epochs :is(input, textarea)")).not_to_have_value("10")
    start = time.monotonic()
    train(page)
    curves, changes = {picture(page, "train-loss")}, []
    while "Test accuracy" not in status(page):
        assert time.monotonic() - start < 120
        curve = picture(page, "train-loss")
        if curve not in curves:
            curves.add(curve)
            changes.append(time.monotonic())
        page.wait_for_timeout(20)
    assert (len(changes) - 1) / (changes[-1] - changes[0]) >= 3
    shown = re.match(r"Test accuracy (\d+\.\d\d)%", status(page)).group(1)

    weights = download(page, "Weights (safetensors)", tmp_path)
    command = [sys.executable, "-m", "mnist_mlp", "evaluate", "--json", "--weights", str(weights)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    (entry,) = json.loads(result.stdout)
    assert f"{100 * entry['top1']:.2f}" == shown

    page.get_by_role("tab", name="Draw").click()
    expect(page.get_by_label(f"Your run 1 ({shown}%)")).to_be_checked()
    draw(page, SEVEN)
    own = Classifier.load(weights).read_drawing(Drawing.from_lists(SEVEN))
    assert settled_answer(page) == [guess.digit for guess in own.guesses]


def test_after_a_run(training: Page, tmp_path: Path):
    page = training
    fill(page, epochs="2", hidden_sizes="32", batch_size="256")
    train(page)
    wait_for_status(page, "^Test accuracy")
    report = page.locator("#train-report")
    expect(report.locator(".confusion tr")).to_have_count(11)
    expect(report.locator(".mistakes li")).to_have_count(24)
    expect(report.locator(".digits tr")).to_have_count(11)
    expect(report.locator(".facts")).to_contain_text("25,450 parameters")
    cells = report.locator(".confusion td").all_inner_texts()
    images = 10_000 if "10,000" in report.locator(".facts").inner_text() else 500
    assert sum(int(cell or 0) for cell in cells) == images

    safetensors = download(page, "Weights (safetensors)", tmp_path)
    pth = download(page, "Weights (.pth for PyTorch)", tmp_path)
    drawing = Drawing.from_lists(SEVEN)
    (digit, probability), (same_digit, same_probability) = (
        astuple(Classifier.load(weights).read_drawing(drawing).guesses[0])
        for weights in (safetensors, pth)
    )
    assert same_digit == digit
    assert same_probability == pytest.approx(probability)
    history = download(page, "History (CSV)", tmp_path).read_text().splitlines()
    assert len(history) == 3
    assert history[0].startswith("epoch,loss")
    assert download(page, "Curves (PNG)", tmp_path).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("epochs", "0", "must be a whole number"),
        ("learning_rate", "2", "must be a number, 0.00001 to 1"),
        ("hidden_sizes", "5000", "up to 6 hidden layers"),
        ("train_images", "3", "Write a whole number"),
    ],
)
def test_a_wrong_value_is_refused_beside_its_field(
    training: Page, field: str, value: str, complaint: str
):
    box = training.locator(f"#train-{field.replace('_', '-')}")
    fill(training, **{field: value})
    train(training)
    expect(box).to_contain_text(complaint)
    assert "Press Train" in status(training)
    good = {"epochs": "1", "learning_rate": "0.01", "hidden_sizes": "8", "train_images": "500"}
    fill(training, **good)
    train(training)
    wait_for_status(training, "^Test accuracy")
    expect(box).not_to_contain_text(complaint)


def test_the_address_keeps_the_settings(training: Page, visit: Callable[..., Page], app_url: str):
    fill(training, epochs="3", hidden_sizes="40, 20", seed="9")
    expect(training).to_have_url(re.compile(r"epochs=3.*hidden_sizes=40.*seed=9"))
    expect(training.get_by_label("Custom")).to_be_checked()
    other = open_train_tab(visit(training.url.removeprefix(app_url)))
    for name, value in (("epochs", "3"), ("hidden-sizes", "40, 20"), ("seed", "9")):
        expect(other.locator(f"#train-{name} :is(input, textarea)").first).to_have_value(value)


def test_stop_in_mid_epoch_keeps_the_best_so_far(training: Page):
    fill(training, epochs="50", batch_size="16")
    train(training)
    wait_for_status(training, "^Epoch 1 of 50, batch")
    train(training)  # a second click does nothing
    training.locator("#train-stop").click()
    text = wait_for_status(training, "You stopped the run", timeout=15_000)
    assert text.startswith("Test accuracy")
    expect(training.locator("#train-monitor .legend li")).to_have_count(1)
    training.get_by_role("tab", name="Draw").click()
    expect(training.get_by_label("Your run 1")).to_be_checked()


def put_in_line_behind(training: Page, visit: Callable[..., Page]) -> Page:
    """A second visitor, whose short run waits for a long one on the first page."""
    second = open_train_tab(visit())
    fill(training, epochs="50", batch_size="16")
    fill(second, epochs="1", batch_size="512")
    train(training)
    wait_for_status(training, "^Epoch 1")
    train(second)
    return second


def test_a_second_visitor_waits_in_line(training: Page, visit: Callable[..., Page]):
    second = put_in_line_behind(training, visit)
    wait_for_status(second, "Waiting in line: you are next")
    training.locator("#train-stop").click()
    wait_for_status(second, "^Test accuracy")


def test_a_reloaded_page_ends_its_run(training: Page, visit: Callable[..., Page]):
    second = put_in_line_behind(training, visit)
    wait_for_status(second, "Waiting in line")
    training.reload()
    wait_for_status(second, "^(Starting|Epoch|Test accuracy)", timeout=2_500)
    wait_for_status(second, "^Test accuracy")


def worker_processes() -> list[int]:
    """Processes that multiprocessing spawned from app.py."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (Path("/proc") / str(parent) / "cmdline").read_bytes()
        except OSError:
            continue
        if b"multiprocessing.spawn" in line and b"app.py" in command:
            found.append(int(folder.name))
    return found


def test_a_killed_worker_is_one_sentence_and_the_next_run_works(training: Page):
    fill(training, epochs="50", batch_size="16")
    train(training)
    wait_for_status(training, "^Epoch 1")
    for process in worker_processes():
        os.kill(process, signal.SIGKILL)
    wait_for_status(training, "ended without a word", timeout=10_000)
    training.get_by_role("tab", name="Draw").click()
    draw(training, SEVEN)
    assert settled_answer(training)[0] == 7
    training.get_by_role("tab", name="Train").click()
    fill(training, epochs="1", batch_size="512")
    train(training)
    wait_for_status(training, "^Test accuracy")


def test_a_loss_that_runs_away_names_the_learning_rate(training: Page):
    fill(training, learning_rate="1")
    choose_dropdown(training, "optimizer", "SGD")
    train(training)
    wait_for_status(training, "learning rate 1 is too high")


def test_no_hidden_layers(training: Page):
    fill(training, epochs="3", batch_size="64", learning_rate="0.01", hidden_sizes="")
    train(training)
    wait_for_status(training, "^Test accuracy (8|9)")
    expect(training.locator("#train-report .facts")).to_contain_text("7,850 parameters")


def test_the_largest_network(training: Page):
    fill(
        training,
        epochs="1",
        batch_size="500",
        train_images="1000",
        hidden_sizes=", ".join(["2048"] * 6),
    )
    train(training)
    wait_for_status(training, "^Test accuracy", timeout=2 * A_MINUTE)
    expect(training.locator("#train-report .facts")).to_contain_text("22,609,930 parameters")


def test_two_visitors_two_networks(training: Page, visit: Callable[..., Page], tmp_path, app_url):
    second = open_train_tab(visit())
    readings = []
    for page, seed in ((training, "1"), (second, "2")):
        fill(page, epochs="1", batch_size="512", hidden_sizes="24", seed=seed)
        train(page)
        wait_for_status(page, "^Test accuracy")
        folder = tmp_path / seed
        folder.mkdir()
        weights = download(page, "Weights (safetensors)", folder)
        with page.expect_request(re.compile("component_server")) as request:
            page.get_by_role("tab", name="Draw").click()
            draw(page, SEVEN)
        value = {**request.value.post_data_json["data"], "drawing": SEVEN}
        answer = post_to_pad(app_url, value)
        expected = Classifier.load(weights).read_drawing(Drawing.from_lists(SEVEN))
        for guess, own in zip(answer["guesses"], expected.guesses, strict=True):
            assert guess["digit"] == own.digit
            assert guess["probability"] == pytest.approx(own.probability, abs=1e-4)
        readings.append(answer["guesses"])
    assert readings[0] != readings[1]


def test_switching_networks_answers_the_same_drawing_anew(training: Page):
    draw_tab, train_tab = (training.get_by_role("tab", name=name) for name in ("Draw", "Train"))
    draw_tab.click()
    draw(training, SEVEN)
    settled_answer(training)
    shipped = training.locator("#answer .guesses").inner_text()
    train_tab.click()
    fill(training, epochs="1", batch_size="2048", hidden_sizes="")
    train(training)
    wait_for_status(training, "^Test accuracy")
    draw_tab.click()
    expect(training.locator("#answer .guesses")).not_to_have_text(shipped)
    training.get_by_label("The shipped network").click()
    expect(training.locator("#answer .guesses")).to_have_text(shipped, use_inner_text=True)


def test_twenty_runs_on_one_page(training: Page):
    fill(training, epochs="1", batch_size="2048", hidden_sizes="8", train_images="2000")
    for number in range(1, 21):
        train(training)
        expect(training.locator("#train-report h3")).to_have_text(
            re.compile(f"^Run {number}:"), timeout=A_MINUTE
        )
    rows = training.locator("#train-monitor .legend li")
    expect(rows).to_have_count(10)
    before = picture(training, "train-loss")
    rows.first.get_by_role("checkbox").uncheck()
    assert picture(training, "train-loss") != before
    training.get_by_role("button", name="Clear earlier runs").click()
    expect(rows).to_have_count(1)
    training.get_by_role("tab", name="Draw").click()
    expect(training.locator("#network label")).to_have_count(2)


def test_the_numbers_under_the_pointer(training: Page):
    fill(training, epochs="2", batch_size="512")
    train(training)
    wait_for_status(training, "^Test accuracy")
    training.locator("#train-accuracy canvas").hover()
    expect(training.locator("#train-accuracy .tip")).to_contain_text(
        re.compile(r"test, epoch \d: ")
    )


@pytest.mark.usefixtures("mnist")
def test_the_tutorial_preset_does_as_well_as_the_tutorial(training: Page):
    training.get_by_label("Tutorial").click()
    train(training)
    text = wait_for_status(training, "^Test accuracy", timeout=5 * A_MINUTE)
    assert 97.0 <= float(re.search(r"(\d+\.\d+)%", text).group(1)) <= 98.5


def test_files_of_others_are_not_given_out(training: Page, app_url: str):
    for address in ("runs/guess/1/weights.safetensors", "runs/guess/x/weights.pth"):
        assert training.request.get(f"{app_url}/{address}").status == 404
