"""The Test set tab in a real Chromium, beside what the same network makes of the same images."""

import json
import os
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from mnist_mlp.data import Dataset, load_dataset
from mnist_mlp.evaluate import Evaluation, evaluate
from tests.browser.driver import draw, running_app, settled_answer
from tests.conftest import NO_NETWORK

SEVEN = [[[60, 200, 110], [50, 50, 220]]]
A_MINUTE = 60_000
A_PAGE = 60


@pytest.fixture(scope="module")
def data() -> Dataset:
    """What the running page has loaded as well."""
    return load_dataset()


@pytest.fixture(scope="module")
def evaluation(classifier, data: Dataset) -> Evaluation:
    return evaluate(classifier.model, data.test)


@pytest.fixture
def gallery(page: Page) -> Locator:
    """A visitor on the Test set tab, the first images there."""
    return open_gallery(page)


def open_gallery(page: Page) -> Locator:
    page.get_by_role("tab", name="Test set").click()
    gallery = page.locator("#test-gallery")
    expect(gallery.locator(".pictures li").first).to_be_visible(timeout=A_MINUTE)
    return gallery


def wait_for(gallery: Locator, indices: list[int]) -> None:
    """Until these images are the ones on the page, in this order, and their number is said."""
    count = "1 image" if len(indices) == 1 else f"{len(indices):,} images"
    expect(gallery.locator(".found")).to_have_text(
        re.compile(f"^{count}(, page|$)" if indices else "No image is like that.")
    )
    buttons = gallery.locator(".pictures button")
    expect(buttons).to_have_count(min(A_PAGE, len(indices)))
    assert shown(gallery) == indices[:A_PAGE]


def shown(gallery: Locator) -> list[int]:
    titles = gallery.locator(".pictures button").evaluate_all("all => all.map(b => b.title)")
    return [int(re.match(r"Test image (\d+):", title).group(1)) for title in titles]


def pixels(canvas: Locator) -> list[int]:
    return canvas.evaluate(
        """canvas => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            .data].filter((_, i) => i % 4 === 0)"""
    )


def choice(gallery: Locator, name: str) -> Locator:
    return gallery.get_by_role("combobox", name=name)


def cell(gallery: Locator, label: int, prediction: int) -> Locator:
    return gallery.locator(".confusion tr").nth(label + 1).locator("td").nth(prediction)


def a_kind_of_mistake(evaluation: Evaluation) -> tuple[int, int]:
    """The most frequent one: the true digit and what it is read as."""
    matrix = evaluation.confusion_matrix.clone().fill_diagonal_(0)
    return divmod(int(matrix.argmax()), 10)


def test_every_image_with_its_digit_and_its_prediction(gallery, data, evaluation):
    wait_for(gallery, evaluation.find().tolist())
    gallery.get_by_label("Only mistakes").check()
    mistakes = evaluation.find(only_mistakes=True).tolist()
    wait_for(gallery, mistakes)
    items = gallery.locator(".pictures li")
    for place, index in enumerate(mistakes[:5]):
        item = items.nth(place)
        label, prediction = int(data.test.labels[index]), int(evaluation.predictions[index])
        assert item.inner_text().strip() == f"{label} as {prediction}"
        assert "wrong" in item.get_attribute("class")
        assert pixels(item.locator("canvas")) == data.test.images[index].flatten().tolist()
    gallery.get_by_role("button", name="Show all").click()
    wait_for(gallery, evaluation.find().tolist())
    right = next(i for i in range(A_PAGE) if i not in mistakes)
    assert items.nth(right).inner_text().strip() == f"{data.test.labels[right]} ✓"
    assert "wrong" not in (items.nth(right).get_attribute("class") or "")


def test_every_filter(gallery: Locator, evaluation: Evaluation):
    label, prediction = a_kind_of_mistake(evaluation)
    choice(gallery, "True digit").select_option(str(label))
    wait_for(gallery, evaluation.find(label=label).tolist())
    gallery.get_by_label("Only mistakes").check()
    wait_for(gallery, evaluation.find(label=label, only_mistakes=True).tolist())
    choice(gallery, "Read as").select_option(str(prediction))
    wait_for(gallery, evaluation.find(label=label, prediction=prediction).tolist())
    choice(gallery, "True digit").select_option("any")
    gallery.get_by_label("Only mistakes").uncheck()
    wait_for(gallery, evaluation.find(prediction=prediction).tolist())
    gallery.get_by_label("Least confident first").check()
    expected = evaluation.find(prediction=prediction, least_confident_first=True).tolist()
    expect(gallery.locator(".pictures small").first).to_contain_text("sure")
    wait_for(gallery, expected)
    choice(gallery, "True digit").select_option(str((prediction + 1) % 10))
    choice(gallery, "Read as").select_option(str(prediction))
    gallery.get_by_role("button", name="Show all").click()
    wait_for(gallery, evaluation.find().tolist())
    expect(gallery.get_by_label("Least confident first")).not_to_be_checked()
    expect(choice(gallery, "True digit")).to_have_value("")


def test_no_image_is_like_that(gallery: Locator):
    for name in ("True digit", "Read as"):
        choice(gallery, name).select_option("3")
    gallery.get_by_label("Only mistakes").check()
    wait_for(gallery, [])


def test_pages(gallery: Locator, evaluation: Evaluation):
    numbers = evaluation.find().tolist()
    forward = gallery.get_by_role("button", name="Next page")
    back = gallery.get_by_role("button", name="Previous page")
    expect(back.first).to_be_disabled()
    forward.first.click()
    expect(gallery.locator(".found")).to_contain_text("page 2 of")
    assert shown(gallery) == numbers[A_PAGE : 2 * A_PAGE]
    forward.last.click()
    expect(gallery.locator(".found")).to_contain_text("page 3 of")
    expect(gallery.locator(".filters")).to_be_in_viewport()
    back.first.click()
    expect(gallery.locator(".found")).to_contain_text("page 2 of")
    choice(gallery, "True digit").select_option("5")
    wait_for(gallery, evaluation.find(label=5).tolist())
    expect(gallery.locator(".found")).to_contain_text("page 1 of")


def test_the_confusion_matrix_is_a_filter(gallery: Locator, evaluation: Evaluation):
    matrix = evaluation.confusion_matrix
    texts = gallery.locator(".confusion td").all_inner_texts()
    counts = [int(text or 0) for i, text in enumerate(texts) if i % 11 < 10]
    assert counts == matrix.flatten().tolist()
    assert texts[10::11] == [f"{100 * share:.1f}%" for share in evaluation.recall.tolist()]

    label, prediction = a_kind_of_mistake(evaluation)
    cell(gallery, label, prediction).get_by_role("button").click()
    wait_for(gallery, evaluation.find(label=label, prediction=prediction).tolist())
    expect(choice(gallery, "True digit")).to_have_value(str(label))
    expect(choice(gallery, "Read as")).to_have_value(str(prediction))
    expect(gallery.locator(".chosen")).to_have_count(1)
    cell(gallery, label, prediction).get_by_role("button").click()
    wait_for(gallery, evaluation.find().tolist())

    gallery.get_by_label("Only mistakes").check()
    cell(gallery, label, label).get_by_role("button").click()
    wait_for(gallery, evaluation.find(label=label, prediction=label).tolist())
    gallery.get_by_role("button", name=f"Images of a {label}", exact=True).click()
    wait_for(gallery, evaluation.find(label=label).tolist())
    gallery.get_by_role("button", name=f"Read as {prediction}", exact=True).click()
    wait_for(gallery, evaluation.find(prediction=prediction).tolist())


def test_a_click_on_a_picture_and_on_to_the_draw_tab(page, gallery, data, evaluation):
    gallery.get_by_label("Only mistakes").check()
    numbers = evaluation.find(only_mistakes=True).tolist()
    wait_for(gallery, numbers)
    gallery.locator(".pictures button").nth(1).click()
    dialog = page.get_by_role("dialog")
    heading = dialog.get_by_role("heading")
    expect(heading).to_contain_text(f"Test image {numbers[1]}: a {data.test.labels[numbers[1]]}, ")
    page.keyboard.press("ArrowLeft")
    index = numbers[0]
    label, prediction = int(data.test.labels[index]), int(evaluation.predictions[index])
    expect(heading).to_have_text(f"Test image {index}: a {label}, read as {prediction}")
    expect(dialog.get_by_label("Previous image")).to_be_disabled()
    image = data.test.images[index].flatten().tolist()
    stages = dialog.locator("canvas")
    assert pixels(stages.nth(0)) == pixels(stages.last) == image
    assert pixels(stages.nth(1)) == [255 - grey for grey in image]
    rows = dialog.locator(".guesses li")
    expect(rows).to_have_count(10)
    assert [row.split()[0] for row in rows.all_inner_texts()] == list("0123456789")
    widths = rows.locator("i").evaluate_all("all => all.map(i => parseFloat(i.style.width) / 100)")
    assert widths == pytest.approx(evaluation.probabilities[index].tolist(), abs=1e-3)

    dialog.get_by_role("button", name="Show on the Draw tab").click()
    expect(page.locator("#answer")).to_contain_text(f"Test image {index}, a {label}")
    expect(page.locator("#digit-pad canvas")).to_be_visible()
    guesses = page.locator("#answer .guesses li span:first-child").all_inner_texts()
    likeliest = evaluation.probabilities[index].topk(3).indices.tolist()
    assert [int(guess) for guess in guesses] == likeliest
    assert pixels(page.locator("#network-input")) == image
    draw(page, SEVEN)
    expect(page.locator("#answer .digit")).to_have_text("7")
    assert settled_answer(page)[0] == 7
    expect(page.locator("#answer")).not_to_contain_text("Test image")


def test_the_dialog_closes_in_every_way(page: Page, gallery: Locator):
    dialog = page.get_by_role("dialog")
    for close in (
        lambda: page.keyboard.press("Escape"),
        lambda: dialog.get_by_label("Close").click(),
        lambda: page.mouse.click(5, 5),
    ):
        gallery.locator(".pictures button").first.click()
        expect(dialog).to_be_visible()
        close()
        expect(dialog).not_to_be_visible()
        expect(gallery.locator(".pictures button").first).to_be_focused()


def train_a_tiny_network(page: Page) -> None:
    page.get_by_role("tab", name="Train").click()
    expect(page.locator("#train-monitor .data")).to_contain_text("Data: ", timeout=A_MINUTE)
    for name, value in (("epochs", "1"), ("hidden-sizes", "8"), ("train-images", "500")):
        page.locator(f"#train-{name} :is(input, textarea)").first.fill(value)
    page.locator("#train-start").click()
    expect(page.locator("#train-report h3")).to_be_visible(timeout=A_MINUTE)


def test_it_follows_the_network_in_use(page: Page, gallery: Locator, evaluation: Evaluation):
    facts = gallery.locator(".facts")
    shipped = f"The shipped network reads {len(evaluation.labels) - evaluation.errors:,} of"
    expect(facts).to_contain_text(shipped)
    gallery.locator(".pictures button").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Show on the Draw tab").click()
    expect(page.locator("#answer .source")).not_to_be_empty()
    answer = page.locator("#answer .guesses").inner_text()

    train_a_tiny_network(page)
    report = page.locator("#train-report")
    wrong = int(report.locator(".facts").inner_text().split(" ")[0].replace(",", ""))
    own = [int(text or 0) for text in report.locator(".confusion td").all_inner_texts()]
    page.get_by_role("tab", name="Test set").click()
    expect(facts).to_contain_text(f"Your run 1 reads {len(evaluation.labels) - wrong:,} of")
    texts = gallery.locator(".confusion td").all_inner_texts()
    assert [int(text or 0) for i, text in enumerate(texts) if i % 11 < 10] == own
    gallery.get_by_label("Only mistakes").check()
    expect(gallery.locator(".found")).to_contain_text(re.compile(f"^{wrong:,} images"))
    page.get_by_role("tab", name="Draw").click()
    expect(page.locator("#answer .source")).not_to_be_empty()
    expect(page.locator("#answer .guesses")).not_to_have_text(answer, use_inner_text=True)

    page.get_by_role("tab", name="Test set").click()
    page.locator("#test-network").get_by_label("The shipped network").click()
    expect(facts).to_contain_text(shipped)
    wait_for(gallery, evaluation.find(only_mistakes=True).tolist())
    page.get_by_role("tab", name="Draw").click()
    expect(page.locator("#network").get_by_label("The shipped network")).to_be_checked()
    expect(page.locator("#answer .guesses")).to_have_text(answer, use_inner_text=True)


def test_a_tab_that_is_first_opened_after_a_run_follows_it(visit: Callable[..., Page]):
    page = visit()
    train_a_tiny_network(page)
    gallery = open_gallery(page)
    expect(gallery.locator(".facts")).to_contain_text("Your run 1 reads")
    other = open_gallery(visit())
    expect(other.locator(".facts")).to_contain_text("The shipped network reads")


def test_the_address_names_the_tab(browser, app_url: str):
    page = browser.new_context().new_page()
    page.goto(f"{app_url}/?tab=test-set")
    expect(page.locator("#test-gallery .pictures li")).to_have_count(A_PAGE, timeout=A_MINUTE)
    page.goto(f"{app_url}/?tab=nonsense")
    expect(page.locator("#digit-pad canvas")).to_be_visible(timeout=30_000)
    page.context.close()


def test_while_the_data_is_loaded_and_with_the_sample(browser, tmp_path: Path, monkeypatch):
    """A file of MNIST that nobody writes to yet holds the worker up; without a network and with
    that file damaged, the sample then takes MNIST's place.
    """
    for name, value in {**NO_NETWORK, "no_proxy": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    file = raw / "train-images-idx3-ubyte"
    os.mkfifo(file)
    with running_app("--data-dir", str(tmp_path)) as url:
        page = browser.new_context().new_page()
        page.goto(f"{url}/?tab=test-set")
        gallery = page.locator("#test-gallery")
        expect(gallery.locator(".facts")).to_have_text("Loading the test set.", timeout=30_000)
        page.wait_for_timeout(1_500)  # it asks once more
        expect(gallery.locator(".filters")).to_be_hidden()
        expect(gallery.locator(".error")).to_be_empty()
        file.write_bytes(b"")
        expect(gallery.locator(".pictures li")).to_have_count(A_PAGE, timeout=2 * A_MINUTE)
        expect(gallery.locator(".facts")).to_contain_text("of the 500 test images")
        expect(gallery.locator(".data")).to_contain_text("a sample of 5,000 MNIST digits")
        page.context.close()


def test_nothing_is_asked_before_the_tab_is_opened(browser, app_url: str):
    page = browser.new_context().new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.post_data or ""))
    page.goto(app_url)
    expect(page.locator("#digit-pad canvas")).to_be_visible(timeout=30_000)
    page.wait_for_timeout(1_000)
    assert not [body for body in asked if '"browse"' in body]
    open_gallery(page)
    assert [body for body in asked if '"browse"' in body]
    page.context.close()


@pytest.mark.parametrize("device", ["page", "phone"])
def test_nothing_is_wider_than_the_screen(device: str, request: pytest.FixtureRequest):
    page = request.getfixturevalue(device)
    gallery = open_gallery(page)
    screen = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= screen
    for part in (".confusion", ".filters", ".pictures"):
        box = gallery.locator(part).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= screen
    gallery.locator(".pictures button").first.click()
    box = page.get_by_role("dialog").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= screen


def post(url: str, component: int, function: str, value) -> dict:
    """What gallery.js posts."""
    body = {"data": value, "component_id": component, "fn_name": function, "session_hash": "test"}
    request = urllib.request.Request(
        f"{url}/gradio_api/component_server",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


@pytest.fixture
def component(app_url: str, gallery: Locator) -> int:
    """The gallery's number on the page, once it is ready to answer."""
    expect(gallery.locator(".facts")).to_contain_text("reads")
    with urllib.request.urlopen(f"{app_url}/config") as response:
        components = json.load(response)["components"]
    return next(c["id"] for c in components if c["props"].get("elem_id") == "test-gallery")


@pytest.mark.parametrize(
    ("function", "value", "complaint"),
    [
        ("browse", None, "JSON object"),
        ("browse", {"session": {}, "query": 3}, "JSON object"),
        ("browse", {"query": {"label": 11}}, "digit"),
        ("browse", {"query": {"page": "x" * 1000}}, "whole number"),
        ("look", None, "whole number"),
        ("look", {"index": -1}, "whole number"),
        ("look", {"index": 10_000}, "whole number"),
    ],
)
def test_a_bad_question_gives_one_sentence(app_url, component, function, value, complaint):
    answer = post(app_url, component, function, value)
    assert set(answer) == {"error"}
    assert complaint in answer["error"]


def test_a_filter_is_answered_within_200_ms(app_url: str, component: int):
    queries = [
        {"label": 3},
        {"prediction": 8, "least_confident_first": True},
        {"only_mistakes": True},
        {"least_confident_first": True, "page": 5},
    ]
    for query in queries:
        start = time.perf_counter()
        answer = post(app_url, component, "browse", {"session": "", "query": query})
        assert time.perf_counter() - start < 0.2
        assert answer["state"] == "ready"
