from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_mlp.classify import Classifier, load_or_shipped
from mnist_mlp.data import Digits
from mnist_mlp.evaluate import evaluate
from mnist_mlp.model import SHIPPED_WEIGHTS, WeightsError, normalise
from mnist_mlp.pictures import open_picture
from mnist_mlp.preprocess import Drawing, images_of_drawings, render

SEVEN = Drawing.from_lists([[[60, 200, 110], [50, 50, 220]]])


def test_a_drawing_gives_three_guesses_likeliest_first(classifier):
    reading = classifier.read_drawing(SEVEN)
    assert [type(guess.digit) for guess in reading.guesses] == [int] * 3
    assert reading.guesses[0].digit == 7
    probabilities = [guess.probability for guess in reading.guesses]
    assert probabilities == sorted(probabilities, reverse=True)
    assert reading.stages.centred.shape == (28, 28)


def test_probabilities_are_the_networks(classifier):
    reading = classifier.read_drawing(SEVEN, top=10)
    image = normalise(torch.from_numpy(reading.stages.centred)[None])
    expected = classifier.model.probabilities(image)[0]
    assert sum(guess.probability for guess in reading.guesses) == pytest.approx(1, abs=1e-5)
    for guess in reading.guesses:
        assert guess.probability == pytest.approx(expected[guess.digit].item())


def test_a_picture_of_a_drawing_is_read_like_the_drawing(classifier):
    assert classifier.read_picture(Image.fromarray(render(SEVEN))).guesses[0].digit == 7


def test_mnists_own_images_are_seen_as_they_are(classifier, sample):
    evaluation = evaluate(classifier.model, sample.test)
    for image, expected in zip(sample.test.images[:50], evaluation.probabilities, strict=False):
        reading = classifier.read_mnist(image.numpy(), top=10)
        for guess in reading.guesses:
            assert guess.probability == pytest.approx(expected[guess.digit].item(), abs=1e-5)
        stages = reading.stages
        left, top, width, height = stages.box
        assert max(width, height) == 20  # as MNIST's makers scaled them
        assert (stages.scaled == image.numpy()[top : top + height, left : left + width]).all()
        assert (stages.centred == image.numpy()).all()


def test_no_ink_gives_no_prediction(classifier):
    for reading in (
        classifier.read_drawing(Drawing(())),
        classifier.read_picture(Image.new("L", (50, 50), 255)),
        classifier.read_mnist(np.zeros((28, 28), np.uint8)),
    ):
        assert reading.guesses == ()
        assert reading.stages is None


def test_a_scribble_is_not_surely_a_digit_and_a_seven_is(classifier):
    rings = [
        [[40, 200, 40, 200, 40, 200], [40, 60, 90, 120, 160, 200]],
        [[60, 60, 190], [20, 230, 30]],
    ]
    assert not classifier.read_drawing(Drawing.from_lists(rings)).is_sure
    assert classifier.read_drawing(SEVEN).is_sure
    assert not classifier.read_drawing(Drawing(())).is_sure


def test_shipped_weights_on_mnist(classifier, mnist):
    assert evaluate(classifier.model, mnist.test).accuracy >= 0.98


def test_shipped_weights_on_digits_drawn_anywhere(classifier, val_anywhere):
    images = torch.from_numpy(images_of_drawings(val_anywhere.drawings))
    evaluation = evaluate(classifier.model, Digits(images, val_anywhere.labels))
    assert evaluation.accuracy >= 0.97
    assert evaluation.top_k(3) >= 0.99


@pytest.mark.parametrize(("name", "digit"), [("myfigure.png", 3), ("myfigure2.jpg", 4)])
def test_the_tutorials_own_pictures(classifier, tutorial_folder: Path, name: str, digit: int):
    assert classifier.read_picture(open_picture(tutorial_folder / name)).guesses[0].digit == digit


def test_unusable_weights_give_way_to_the_shipped_ones(tmp_path: Path):
    (tmp_path / "bad.pth").write_text("not weights")
    classifier, notice = load_or_shipped(tmp_path / "bad.pth")
    shipped = Classifier.load(SHIPPED_WEIGHTS)
    assert classifier.read_drawing(SEVEN).guesses == shipped.read_drawing(SEVEN).guesses
    assert str(tmp_path / "bad.pth") in notice
    assert "shipped weights are used" in notice


def test_missing_shipped_weights_are_an_error(tmp_path: Path):
    with pytest.raises(WeightsError):
        Classifier.load(tmp_path / "nowhere.safetensors")
