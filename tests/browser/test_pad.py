"""The pad under mouse, finger and keyboard."""

import random
import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driver import (
    clear,
    draw,
    draw_with_finger,
    pen_digits,
    settled_answer,
)

SEVEN = [[[60, 200, 110], [50, 50, 220]]]
LIVE_ANSWERS = re.compile("/component_server")
ONE = [[[128, 128], [40, 210]]]


def ink(page: Page) -> int:
    """Dark pixels on the pad's canvas."""
    return page.locator("#digit-pad canvas").evaluate(
        """canvas => canvas.getContext("2d")
            .getImageData(0, 0, canvas.width, canvas.height).data
            .reduce((sum, value, i) => sum + (i % 4 === 3 && value > 127), 0)"""
    )


def network_input(page: Page) -> list[int]:
    """The 784 grey values that stand on the page."""
    return page.locator("#network-input").evaluate(
        """canvas => [...canvas.getContext("2d").getImageData(0, 0, 28, 28).data]
            .filter((_, i) => i % 4 === 0)"""
    )


def every_nth(name: str, count: int) -> list[dict]:
    """Digits from all of a file, with every other point: each move of the mouse takes 20 ms."""
    digits = pen_digits(name)
    digits = digits[:: len(digits) // count][:count]
    return [
        digit | {"drawing": [_thinned(*stroke) for stroke in digit["drawing"]]} for digit in digits
    ]


def _thinned(*stroke: list[float]) -> list[list[float]]:
    return [[*axis[:-1:2], axis[-1]] for axis in stroke]


@pytest.mark.usefixtures("val_anywhere_file")
def test_a_hundred_real_digits_with_the_mouse(page: Page):
    first, among_three = 0, 0
    for digit in every_nth("val_anywhere", 100):
        draw(page, digit["drawing"])
        answer = settled_answer(page)
        assert len(answer) == 3
        first += answer[0] == int(digit["word"])
        among_three += int(digit["word"]) in answer
        clear(page)
    assert first >= 96
    assert among_three >= 99


@pytest.mark.usefixtures("val_anywhere_file")
def test_twenty_real_digits_with_a_finger(phone: Page):
    right = 0
    for digit in every_nth("val_anywhere", 20):
        draw_with_finger(phone, digit["drawing"])
        right += settled_answer(phone)[0] == int(digit["word"])
        assert phone.evaluate("scrollY") == 0
        assert phone.evaluate("String(getSelection())") == ""
        clear(phone)
    assert right >= 19


def test_the_answer_comes_while_the_pen_is_down(page: Page):
    box = page.locator("#digit-pad canvas").bounding_box()
    unit = box["width"] / 256
    page.mouse.move(box["x"] + 60 * unit, box["y"] + 50 * unit)
    page.mouse.down()
    page.mouse.move(box["x"] + 200 * unit, box["y"] + 50 * unit, steps=10)
    page.mouse.move(box["x"] + 110 * unit, box["y"] + 220 * unit, steps=10)
    assert settled_answer(page)[0] == 7
    page.mouse.up()


def test_the_answer_begins_with_the_digit_and_gives_percentages(page: Page):
    draw(page, SEVEN)
    assert settled_answer(page)[0] == 7
    lines = page.locator("#answer").inner_text().split("\n")
    assert lines[0] == "7"
    assert lines[1] == "7"
    assert [line.endswith("%") for line in lines[2:7:2]] == [True] * 3


def test_the_page_shows_what_the_network_sees(page: Page, classifier):
    from mnist_mlp.preprocess import Drawing

    draw(page, SEVEN)
    settled_answer(page)
    expected = classifier.read_drawing(Drawing.from_lists(SEVEN)).stages.centred.flatten()
    shown = network_input(page)
    assert len(shown) == 784
    # The mouse meets the pad's units only to within a pixel.
    assert sum(abs(a - int(b)) for a, b in zip(shown, expected, strict=True)) / 784 < 3


def test_an_empty_pad_invites_and_predicts_nothing(page: Page):
    expect(page.locator("#answer")).to_contain_text("Draw a digit")
    expect(page.locator("#answer .guesses li")).to_have_count(0)
    assert "%" not in page.locator("#answer").inner_text()


SCRIBBLE = [
    [[40, 200, 60, 190, 70, 210, 50, 180, 120], [60, 90, 120, 60, 180, 150, 200, 40, 210]],
    [[128, 60, 200, 90, 180, 100], [30, 200, 180, 60, 120, 220]],
]


def test_a_scribble_is_not_called_a_digit(page: Page):
    draw(page, SCRIBBLE)
    expect(page.locator("#answer .doubt")).to_be_visible()
    expect(page.locator("#answer .digit")).to_have_text("?")
    expect(page.locator("#answer .guesses li")).to_have_count(3)
    expect(page.locator("#answer [role=status]")).to_contain_text("Not sure this is a digit")
    color = "element => getComputedStyle(element).color"
    grey = page.locator("#answer .guesses").evaluate(color)

    clear(page)
    draw(page, SEVEN)
    assert settled_answer(page)[0] == 7
    expect(page.locator("#answer .doubt")).to_be_hidden()
    expect(page.locator("#answer .digit")).to_have_text("7")
    expect(page.locator("#answer [role=status]")).not_to_contain_text("Not sure")
    assert page.locator("#answer .guesses").evaluate(color) != grey


def test_undo_redo_and_clear_by_button(page: Page):
    undo, redo, clear_button = (
        page.get_by_role("button", name=name) for name in ("Undo", "Redo", "Clear")
    )
    for button in (undo, redo, clear_button):
        expect(button).to_be_disabled()
    draw(page, SEVEN)
    assert settled_answer(page)[0] == 7
    seven = ink(page)
    draw(page, ONE)
    assert ink(page) > seven
    undo.click()
    assert settled_answer(page)[0] == 7
    assert ink(page) == seven
    undo.click()
    assert ink(page) == 0
    expect(page.locator("#answer .invitation")).to_be_visible()
    redo.click()
    assert settled_answer(page)[0] == 7
    clear_button.click()
    assert ink(page) == 0
    expect(page.locator("#answer .invitation")).to_be_visible()
    undo.click()  # a drawing that was cleared by mistake is not lost
    assert ink(page) == seven
    assert settled_answer(page)[0] == 7


@pytest.mark.parametrize("command", ["Control", "Meta"])
@pytest.mark.parametrize("clear_key", ["Delete", "Escape"])
def test_undo_redo_and_clear_by_keyboard(page: Page, command: str, clear_key: str):
    draw(page, SEVEN)
    seven = ink(page)
    page.keyboard.press(f"{command}+z")
    assert ink(page) == 0
    page.keyboard.press(f"{command}+Shift+z")
    assert ink(page) == seven
    page.keyboard.press(clear_key)
    assert ink(page) == 0


def test_keys_elsewhere_leave_the_drawing_alone(page: Page):
    draw(page, SEVEN)
    seven = ink(page)
    page.get_by_role("tab", name="Draw").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Control+z")
    assert ink(page) == seven


def test_the_pad_can_be_reached_and_is_announced(page: Page):
    canvas = page.locator("#digit-pad canvas")
    canvas.focus()
    expect(canvas).to_be_focused()
    assert "Drawing pad" in canvas.get_attribute("aria-label")
    draw(page, SEVEN)
    expect(page.locator("#answer [role=status]")).to_contain_text("7, ")


def test_a_resized_window_keeps_the_drawing(page: Page):
    draw(page, SEVEN)
    before = settled_answer(page)
    page.set_viewport_size({"width": 420, "height": 800})
    page.wait_for_timeout(300)
    assert ink(page) > 0
    box = page.locator("#digit-pad canvas").bounding_box()
    assert box["width"] <= 420
    draw(page, [[[150, 150], [100, 110]]])  # goes on in the same units
    assert settled_answer(page)
    page.get_by_role("button", name="Undo").click()
    assert settled_answer(page) == before


def test_the_pad_is_sharp_on_a_dense_screen(visit):
    page = visit(device_scale_factor=2)
    canvas = page.locator("#digit-pad canvas")
    assert canvas.evaluate("c => c.width") == pytest.approx(
        2 * canvas.bounding_box()["width"], abs=2
    )


def test_dark_mode_keeps_and_shows_the_drawing(visit):
    page = visit("/?__theme=dark")
    draw(page, SEVEN)
    assert settled_answer(page)[0] == 7
    seven = ink(page)
    assert page.evaluate("document.body.classList.contains('dark')")
    page.evaluate("document.body.classList.remove('dark')")
    assert ink(page) == seven


def test_a_tap_draws_a_dot(page: Page):
    draw(page, [[[128], [128]]])
    assert settled_answer(page)
    assert ink(page) > 50
    assert sum(network_input(page)) > 0


def test_a_stroke_goes_on_when_it_leaves_the_pad_and_comes_back(page: Page):
    draw(page, [[[200, 300, 300, 200], [60, 60, 200, 200]]])
    settled_answer(page)
    page.get_by_role("button", name="Undo").click()
    assert ink(page) == 0  # all of it was one stroke
    draw(page, [[[10, -120], [128, 128]]])
    dark = ink(page)
    box = page.locator("#digit-pad canvas").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)  # the pen was lifted outside: nothing is drawn
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    assert ink(page) == dark


def test_fast_scribbling_for_ten_seconds(page: Page):
    box = page.locator("#digit-pad canvas").bounding_box()
    place = random.Random(0)
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        page.mouse.move(
            box["x"] + place.uniform(0, box["width"]), box["y"] + place.uniform(0, box["height"])
        )
    page.mouse.up()
    assert len(settled_answer(page)) == 3
    expect(page.locator("#answer .error")).to_be_empty()
    clear(page)
    draw(page, SEVEN)
    assert settled_answer(page)[0] == 7


def test_an_old_answer_never_replaces_a_newer_one(page: Page):
    """The first answer is held back on its way until the second one is there."""
    held = []

    def hold_first(route) -> None:
        if not held:
            held.append(route)
        else:
            route.continue_()

    page.route(LIVE_ANSWERS, hold_first)
    draw(page, [[[128], [128]]])
    draw(page, SEVEN)
    page.wait_for_timeout(5500)  # the pad gives up waiting and asks again
    answer = settled_answer(page)
    held[0].continue_()
    page.wait_for_timeout(500)
    assert settled_answer(page) == answer


def test_a_server_that_is_gone_is_said_and_the_drawing_kept(page: Page):
    everything = re.compile("/gradio_api/")
    page.route(everything, lambda route: route.abort())
    draw(page, SEVEN)
    expect(page.locator("#answer .error")).to_contain_text("does not answer")
    assert ink(page) > 0
    page.unroute(everything)
    draw(page, [[[110], [220]]])
    assert settled_answer(page)[0] == 7
    expect(page.locator("#answer .error")).to_be_empty()


def test_a_thicker_brush_is_seen_on_the_pad(page: Page):
    draw(page, SEVEN)
    before = ink(page)
    page.get_by_label("Brush").fill("30")
    assert ink(page) > 1.5 * before
    assert settled_answer(page)[0] == 7
