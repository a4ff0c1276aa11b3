"""Pictures on the Draw tab in a real Chromium: every way in, and every bad one refused."""

import base64
import io
import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from mnist_mlp.preprocess import Drawing
from mnist_mlp.ui.picture import MAX_POSTED_BYTES
from tests.browser.driver import draw, settled_answer
from tests.browser.test_pad import network_input
from tests.browser.test_test_tab import train_a_tiny_network
from tests.photographs import picture as rendered
from tests.test_cli import bad_pictures

SEVEN = [[[60, 200, 110], [50, 50, 220]]]
ONE = [[[128, 128], [40, 210]]]
FOUR = [[[110, 50, 200], [40, 150, 150]], [[150, 150], [60, 220]]]
A_WHILE = 15_000
SERVER = re.compile("/component_server")
# Makes an event that carries a file, as the browser does when a person pastes or drops one.
BRING = """([kind, content, type]) => {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "picture", { type }));
    const options = { bubbles: true, cancelable: true };
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: data, ...options })
        : new DragEvent(kind, { dataTransfer: data, ...options });
    const target = kind === "paste" ? document.body : document.querySelector("#digit-pad canvas");
    target.dispatchEvent(event);
    return event.defaultPrevented;
}"""
KEEP_TRACK = "track = document.querySelector('#picture video').srcObject.getTracks()[0]"


def photograph(*drawings: list, number: str, kind: str = "lined paper") -> bytes:
    strokes = [Drawing.from_lists(drawing) for drawing in drawings]
    random = np.random.default_rng(1)
    return rendered(kind, strokes, number, random, size=(1000, 700)).content


@pytest.fixture(scope="module")
def seven() -> bytes:
    """A photograph, JPEG."""
    return photograph(SEVEN, number="7")


@pytest.fixture(scope="module")
def number() -> bytes:
    """A photograph of 471."""
    return photograph(FOUR, SEVEN, ONE, number="471")


def component(page: Page) -> Locator:
    return page.locator("#picture")


def choose(page: Page, content: bytes | Path, name: str = "photo.jpg") -> None:
    """Choose a file and wait until the page is done with it."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    file = {"name": name, "mimeType": "image/jpeg", "buffer": content}
    chooser.value.set_files(content if isinstance(content, Path) else file)
    wait_until_done(page)


def wait_until_done(page: Page) -> None:
    state = component(page).locator(".picture")
    expect(state).not_to_have_attribute("data-state", "reading", timeout=A_WHILE)


def bring(page: Page, kind: str, content: bytes) -> bool:
    """Whether the page took it and keeps the browser from opening it."""
    return page.evaluate(BRING, [kind, base64.b64encode(content).decode(), "image/jpeg"])


def expect_read(page: Page, number: str) -> None:
    wait_until_done(page)
    expect(component(page).locator(".error")).to_have_text("")
    expect(component(page).locator("figure")).to_be_visible()
    expect(page.locator("#answer .digit")).to_have_text(number)


def has_orange_line(page: Page) -> bool:
    content = component(page).locator("img").get_attribute("src").split(",")[1]
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.format == "JPEG"
        assert max(image.size) <= 480
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), int), 2, 0)
    return ((red - blue > 120) & (red - green > 60)).sum() > 100


def test_a_file_that_is_chosen(page: Page, seven: bytes, classifier):
    choose(page, seven)
    expect_read(page, "7")
    assert has_orange_line(page)
    expected = classifier.read_picture(Image.open(io.BytesIO(seven)))
    assert network_input(page) == expected.stages.centred.flatten().tolist()
    expect(page.locator("#answer .stages li").first).to_have_text("The ink that was found")
    expect(component(page).get_by_role("status")).to_have_text("Your picture is read as 7.")


def test_a_file_that_is_dropped_and_one_that_is_pasted(page: Page, seven: bytes, number: bytes):
    assert bring(page, "drop", seven)
    expect_read(page, "7")
    assert bring(page, "paste", number)
    expect_read(page, "471")
    page.get_by_role("tab", name="Test set").click()
    expect(component(page)).to_be_hidden()
    assert not bring(page, "paste", seven)
    assert not bring(page, "drop", seven)


def test_the_drawing_under_a_picture_is_kept(page: Page, seven: bytes):
    draw(page, ONE)
    settled_answer(page)
    choose(page, seven)
    expect_read(page, "7")
    page.get_by_role("button", name="Back to the pad").click()
    expect(page.locator("#answer .digit")).to_have_text("1")
    expect(component(page).locator("figure")).to_be_hidden()
    expect(component(page).get_by_role("status")).to_have_text("")
    expect(page.locator("#answer .stages li").first).to_have_text("Your ink on white")
    choose(page, seven)
    expect_read(page, "7")
    page.get_by_role("button", name="Undo").click()  # whoever draws is done with the picture
    expect(component(page).locator("figure")).to_be_hidden()
    expect(page.locator("#answer .invitation")).to_be_visible()


def test_a_number_and_what_else_its_digits_may_be(page: Page, number: bytes, classifier):
    choose(page, number)
    expect_read(page, "471")
    reading = classifier.read_picture(Image.open(io.BytesIO(number)))
    rows = page.locator("#answer .guesses li")
    expect(rows).to_have_count(3)
    for row, digit in zip(rows.all(), reading.digits, strict=True):
        best, second, third = (guess.digit for guess in digit.guesses)
        expect(row.locator("span").first).to_have_text(str(best))
        others = re.compile(rf"or {second} \([<>\d]+%\), {third} \([<>\d]+%\)")
        expect(row.locator("small")).to_have_text(others)


@pytest.mark.parametrize("mode", ["I;16", "CMYK"])
def test_unusual_pictures_are_read(page: Page, seven: bytes, mode: str):
    grey = Image.open(io.BytesIO(seven)).convert("L")
    unusual = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    if mode == "CMYK":
        unusual = grey.convert("CMYK")
    assert unusual.mode == mode
    file = io.BytesIO()
    unusual.save(file, "TIFF", compression="tiff_adobe_deflate")
    choose(page, file.getvalue(), "unusual.tif")
    expect_read(page, "7")


def noisy(side: int, file_format: str) -> bytes:
    """A picture of a seven that hardly compresses."""
    pixels = np.random.default_rng(0).integers(190, 256, (side, side, 3), np.uint8)
    pixels[side // 4 : side // 4 + side // 20, side // 4 : 3 * side // 4] = 0
    pixels[side // 4 : 4 * side // 5, 3 * side // 4 - side // 20 : 3 * side // 4] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format)
    return file.getvalue()


def test_a_large_file_is_made_smaller_first(page: Page):
    content = noisy(900, "PNG")
    assert MAX_POSTED_BYTES < len(content) < 10**7
    with page.expect_request(SERVER) as request:
        choose(page, content, "large.png")
    posted = base64.b64decode(json.loads(request.value.post_data)["data"]["picture"])
    assert len(posted) <= MAX_POSTED_BYTES
    assert Image.open(io.BytesIO(posted)).format == "JPEG"
    expect_read(page, "7")


def test_the_network_that_is_chosen_reads_the_picture_again(page: Page, seven: bytes):
    draw(page, ONE)  # which stays under the picture all the while
    settled_answer(page)
    choose(page, seven)
    expect_read(page, "7")
    answer = page.locator("#answer .guesses").inner_text()
    train_a_tiny_network(page)
    page.get_by_role("tab", name="Draw").click()
    expect(page.locator("#answer .guesses")).not_to_have_text(answer, use_inner_text=True)
    expect(component(page).locator("figure")).to_be_visible()
    page.locator("#network").get_by_label("The shipped network").click()
    expect(page.locator("#answer .guesses")).to_have_text(answer, use_inner_text=True)
    expect_read(page, "7")


def test_each_bad_picture_is_one_sentence(page: Page, cache: Path, tmp_path: Path, seven: bytes):
    expected = bad_pictures(tmp_path)
    assert len(expected) == 10
    (tmp_path / "large.jpg").write_bytes(bytes(2 * 10**6))
    expected["large.jpg"] = "not a picture that your browser can read"
    cached = set(cache.rglob("*"))
    error = component(page).locator(".error")
    for name, part in expected.items():
        choose(page, tmp_path / name)
        assert part.replace("nothing drawn", "No ink was found") in error.inner_text(), name
        assert re.fullmatch(r"[A-Z][^\n]*\.", error.inner_text()), name
        expect(component(page).locator("figure")).to_be_hidden()
        expect(page.locator("#answer .invitation")).to_be_visible()
    choose(page, seven)
    expect_read(page, "7")
    choose(page, tmp_path / "text.png")
    expect(error).to_contain_text("not a picture")
    expect(component(page).locator("figure")).to_be_visible()  # the last one stays
    page.get_by_role("button", name="Back to the pad").click()
    draw(page, SEVEN)
    assert settled_answer(page)[0] == 7
    expect(error).to_be_hidden()
    assert set(cache.rglob("*")) == cached


def test_a_server_that_is_gone_is_said(page: Page, seven: bytes):
    page.route(SERVER, lambda route: route.abort())
    choose(page, seven)
    expect(component(page).locator(".error")).to_contain_text("does not answer")


def test_a_picture_from_the_camera(visit: Callable[..., Page]):
    page = visit(permissions=["camera"])
    video = component(page).locator("video")
    page.get_by_role("button", name="Use the camera").click()
    expect(video).to_be_visible(timeout=A_WHILE)
    page.wait_for_function("document.querySelector('#picture video').videoWidth > 0")
    page.evaluate(KEEP_TRACK)
    with page.expect_response(SERVER) as response:
        page.get_by_role("button", name="Take the picture").click()
    posted = json.loads(response.value.request.post_data)["data"]["picture"]
    image = Image.open(io.BytesIO(base64.b64decode(posted)))
    assert image.format == "JPEG"
    assert image.width >= 320
    red, green, blue = np.asarray(image.convert("RGB")).reshape(-1, 3).mean(axis=0)
    assert green > 2 * max(red, blue)  # it is what the camera saw
    wait_until_done(page)
    expect(video).to_be_hidden()
    assert page.evaluate("track.readyState") == "ended"
    # That is no digit, and yet an answer or a sentence stands there.
    expect(component(page).locator("figure:visible, .error:visible")).to_have_count(1)


def test_the_camera_goes_off_when_nobody_looks(visit: Callable[..., Page]):
    page = visit(permissions=["camera"])
    camera = component(page).locator(".camera")
    for leave in (
        lambda: page.get_by_role("button", name="Cancel").click(),
        lambda: page.get_by_role("tab", name="Test set").click(),
    ):
        page.get_by_role("button", name="Use the camera").click()
        expect(camera).to_be_visible(timeout=A_WHILE)
        page.evaluate(KEEP_TRACK)
        assert page.evaluate("track.readyState") == "live"
        leave()
        page.wait_for_function("track.readyState === 'ended'")
        expect(camera).to_be_hidden()


def test_without_a_camera_there_is_a_sentence(page: Page):
    page.get_by_role("button", name="Use the camera").click()
    expect(component(page).locator(".error")).to_contain_text("The camera cannot be used")
    expect(component(page).locator(".camera")).to_be_hidden()


def test_the_api_reads_a_picture(app_url: str, seven: bytes, classifier):
    value = {"picture": base64.b64encode(seven).decode()}
    answer = Client(app_url, verbose=False).predict(value, api_name="/read_picture")
    expected = classifier.read_picture(Image.open(io.BytesIO(seven)))
    assert answer["number"] == expected.number == "7"
    assert [g["digit"] for g in answer["guesses"]] == [g.digit for g in expected.guesses]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({}, "is not a picture"),
        ({"picture": 5}, "posted as"),
        ({"picture": "no base64!"}, "not in base64"),
        ({"picture": "é"}, "not in base64"),
        ([1], "is not a picture"),
        ({"picture": base64.b64encode(b"hello").decode()}, "is not a picture"),
    ],
)
def test_the_api_refuses_what_is_no_picture(app_url: str, value, sentence: str):
    with pytest.raises(Exception, match=sentence):
        Client(app_url, verbose=False).predict(value, api_name="/read_picture")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [(None, "posted as"), ([], "posted as"), ({"picture": "?"}, "not in base64")],
)
def test_the_server_refuses_what_no_page_posts(app_url: str, value, sentence: str):
    with urllib.request.urlopen(f"{app_url}/config") as response:
        components = json.load(response)["components"]
    number = next(c["id"] for c in components if c["props"].get("elem_id") == "picture")
    body = {"data": value, "component_id": number, "fn_name": "read", "session_hash": "test"}
    request = urllib.request.Request(
        f"{app_url}/gradio_api/component_server",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        assert sentence in json.load(response)["error"]


@pytest.mark.parametrize("device", ["page", "phone"])
def test_a_picture_covers_the_pad_and_nothing_moves(device: str, request, number: bytes):
    page = request.getfixturevalue(device)
    parts = ("#digit-pad canvas", "#answer", "#answer .stages", "#network")
    before = [page.locator(part).bounding_box() for part in parts]
    choose(page, number)
    expect_read(page, "471")
    assert [page.locator(part).bounding_box() for part in parts] == before
    sheet = component(page).locator("figure").bounding_box()
    assert sheet == pytest.approx(before[0], abs=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
