"""The page as a whole: what it loads, how it starts, what it makes of bad input."""

import http.client
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from tests.browser.driver import (
    REPOSITORY,
    draw,
    open_page,
    post_to_pad,
    running_app,
    settled_answer,
)

SEVEN = [[[60, 200, 110], [50, 50, 220]]]
TOO_MANY_STROKES = [[[1, 2], [1, 2]]] * 201


def test_no_request_goes_to_another_host(browser, app_url: str):
    page = browser.new_context().new_page()
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(app_url)
    expect(page.locator("#digit-pad canvas")).to_be_visible(timeout=30_000)
    draw(page, SEVEN)
    settled_answer(page)
    foreign = [url for url in urls if not url.startswith((app_url, "data:", "blob:"))]
    assert foreign == []
    page.context.close()


def test_the_http_api_walks_the_same_path(app_url: str, classifier):
    from mnist_mlp.preprocess import Drawing

    answer = Client(app_url, verbose=False).predict(
        {"drawing": SEVEN, "brush": 14, "revision": 5}, api_name="/read_drawing"
    )
    expected = classifier.read_drawing(Drawing.from_lists(SEVEN)).guesses
    assert answer["revision"] == 5
    assert [guess["digit"] for guess in answer["guesses"]] == [guess.digit for guess in expected]
    assert answer["guesses"][0]["probability"] == pytest.approx(expected[0].probability, abs=1e-3)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"drawing": TOO_MANY_STROKES}, "at most 200 strokes"),
        ({"drawing": [[[1.0] * 20_001, [1.0] * 20_001]]}, "at most 20,000 points"),
        ({"drawing": [[[1], [9999]]]}, "outside"),
        ({"drawing": [[[1, 2], [1]]]}, "same length"),
        ({"drawing": "seven"}, "list of strokes"),
        ({"drawing": SEVEN, "brush": 0}, "brush"),
        ({"drawing": SEVEN, "revision": "new"}, "an integer"),
        (17, "list of strokes"),
    ],
)
def test_bad_input_to_the_api_gives_one_sentence(app_url: str, value, complaint: str):
    with pytest.raises(AppError, match=complaint) as error:
        Client(app_url, verbose=False).predict(value, api_name="/read_drawing")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"drawing": TOO_MANY_STROKES, "revision": 1}, "at most 200 strokes"),
        ({"drawing": [[[float("nan")], [1]]], "revision": 1}, "finite"),
        ({"drawing": SEVEN, "brush": float("inf"), "revision": 1}, "brush"),
        ({"drawing": SEVEN}, "revision"),
        ("seven", "revision"),
        (None, "revision"),
    ],
)
def test_bad_input_to_the_live_pad_gives_one_sentence(app_url: str, value, complaint: str):
    answer = post_to_pad(app_url, value)
    assert complaint in answer["error"]
    assert "guesses" not in answer
    assert post_to_pad(app_url, {"drawing": SEVEN, "revision": 1})["guesses"][0]["digit"] == 7


def test_an_error_of_the_server_changes_nothing_on_the_page(page: Page):
    draw(page, SEVEN)
    answer = settled_answer(page)
    expect(page.locator("#answer [role=status]")).to_contain_text("7, ")  # all answers are there
    page.evaluate(
        """document.dispatchEvent(new CustomEvent("reading",
            {detail: {revision: 1e9, error: "Something was wrong."}}))"""
    )
    expect(page.locator("#answer .error")).to_have_text("Something was wrong.")
    assert settled_answer(page) == answer


def test_unusable_weights_are_said_on_the_page(browser, tmp_path: Path):
    (tmp_path / "bad.safetensors").write_text("not weights")
    with running_app("--weights", str(tmp_path / "bad.safetensors")) as url:
        page = open_page(browser, url)
        expect(page.locator("#notice")).to_contain_text("bad.safetensors")
        expect(page.locator("#notice")).to_contain_text("shipped weights are used")
        draw(page, SEVEN)
        assert settled_answer(page)[0] == 7
        page.context.close()


def start_app(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-u", "app.py", "--no-browser", *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def lines_until(process: subprocess.Popen, text: str) -> str:
    """What the process prints up to the line that has this text."""
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            break
    process.terminate()
    process.communicate(timeout=20)
    return seen


def test_a_taken_port_is_said_and_the_next_one_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        output = lines_until(start_app("--port", str(port)), "The page is at")
    assert f"Port {port} is taken" in output
    assert f"http://127.0.0.1:{port}/" not in output.replace(f"Port {port}", "")


def test_without_a_share_server_the_page_is_served_locally(offline_environment):
    process = start_app("--share", "--port", "7990", environment=offline_environment)
    output = lines_until(process, "No public link")
    assert "The page is at http://127.0.0.1" in output
    assert len(output.splitlines()) == 2


def test_an_address_that_is_not_ours_is_one_sentence():
    process = start_app("--host", "203.0.113.7")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_without_end_is_refused(app_url: str, chunked: bool):
    body = b'{"data": "' + b"x" * 5_000_000 + b'"}'
    pieces = (body[i : i + 100_000] for i in range(0, len(body), 100_000)) if chunked else body
    request = urllib.request.Request(
        f"{app_url}/gradio_api/component_server", pieces, {"Content-Type": "application/json"}
    )
    with pytest.raises((OSError, http.client.HTTPException)):
        urllib.request.urlopen(request, timeout=20)
    assert post_to_pad(app_url, {"drawing": SEVEN, "revision": 1})["guesses"][0]["digit"] == 7


def test_unknown_functions_of_the_pad_are_refused(app_url: str):
    body = {"data": {}, "component_id": 1, "fn_name": "get_config", "session_hash": "test"}
    request = urllib.request.Request(
        f"{app_url}/gradio_api/component_server",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(request)
