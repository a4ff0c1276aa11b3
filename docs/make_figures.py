"""Make the pictures of the README and of the weights' card again, from the code and the page."""

import sys
from pathlib import Path

import torch
from playwright.sync_api import Page, expect

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from mnist_mlp.classify import Classifier  # noqa: E402
from mnist_mlp.data import Digits, default_data_dir, read_drawings  # noqa: E402
from mnist_mlp.evaluate import Evaluation, evaluate  # noqa: E402
from mnist_mlp.plots import distortions, preprocessing, reliability_diagram  # noqa: E402
from mnist_mlp.preprocess import (  # noqa: E402
    Drawing,
    images_of_drawings,
    stages_of_drawing,
)
from tests.browser.driver import (  # noqa: E402
    chromium,
    draw,
    open_page,
    running_app,
    settled_answer,
)

# A 3 in the lower left of the pad, small and slanted, as people draw it.
THREE = [
    [
        [32, 38, 50, 64, 74, 76, 70, 58, 50, 60, 74, 80, 77, 66, 50, 36, 26],
        [128, 118, 110, 109, 116, 128, 140, 149, 153, 153, 160, 173, 188, 201, 208, 208, 200],
    ]
]


def main() -> None:
    folder = REPOSITORY / "docs"
    stages = stages_of_drawing(Drawing.from_lists(THREE))
    preprocessing(stages).savefig(folder / "preprocessing.png", dpi=110)
    card = REPOSITORY / "weights"
    distortions(stages.centred).savefig(card / "distortions.png", dpi=70)
    reliability_diagram(evaluation_of_val()).savefig(card / "reliability.png", dpi=70)
    with running_app() as url, chromium() as browser:
        page = open_page(browser, url, viewport={"width": 1280, "height": 720})
        draw(page, THREE)
        settled_answer(page)
        page.mouse.move(0, 0)
        page.screenshot(path=folder / "page.png")
        photograph_test_set(page, folder)
        photograph_training(page, folder)


def evaluation_of_val() -> Evaluation:
    val = read_drawings(default_data_dir() / "pen" / "val.ndjson")
    images = torch.from_numpy(images_of_drawings(val.drawings))
    return evaluate(Classifier.load().model, Digits(images, val.labels))


def photograph_test_set(page: Page, folder: Path) -> None:
    page.get_by_role("tab", name="Test set").click()
    expect(page.locator("#test-gallery .pictures li")).not_to_have_count(0, timeout=60_000)
    page.wait_for_timeout(300)
    page.screenshot(path=folder / "test_set.png")


def photograph_training(page: Page, folder: Path) -> None:
    """Two runs, so that the legend shows what it is for."""
    page.get_by_role("tab", name="Train").click()
    for number, preset in enumerate(("Tutorial", "Fast"), start=1):
        page.get_by_label(preset).click()
        page.locator("#train-start").click()
        title = page.locator("#train-report h3")
        expect(title).to_contain_text(f"Run {number}", timeout=300_000)
    page.set_viewport_size({"width": 1280, "height": 960})
    page.wait_for_timeout(300)
    page.screenshot(path=folder / "train.png")


if __name__ == "__main__":
    main()
