"""What the gallery is asked and what it answers, without a page."""

import base64

import numpy as np
import pytest
from torch.nn.functional import one_hot

from mnist_mlp.evaluate import Evaluation, evaluate
from mnist_mlp.ui.gallery import (
    IMAGES_A_PAGE,
    GalleryError,
    Query,
    checked_index,
    checked_query,
    page_as_json,
)


@pytest.fixture(scope="module")
def evaluation(classifier, sample) -> Evaluation:
    return evaluate(classifier.model, sample.test)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "JSON object"),
        ([], "JSON object"),
        ({"label": 10}, '"label" is a digit'),
        ({"label": "3"}, '"label" is a digit'),
        ({"label": True}, '"label" is a digit'),
        ({"prediction": -1}, '"prediction" is a digit'),
        ({"prediction": 3.0}, '"prediction" is a digit'),
        ({"only_mistakes": 1}, '"only_mistakes" is true or false'),
        ({"least_confident_first": None}, '"least_confident_first" is true or false'),
        ({"page": -1}, '"page" is a whole number'),
        ({"page": 10**100}, '"page" is a whole number'),
        ({"page": "0"}, '"page" is a whole number'),
    ],
)
def test_a_bad_query_is_one_sentence(value, complaint: str):
    with pytest.raises(GalleryError, match=complaint):
        checked_query(value)


def test_what_a_query_leaves_out_is_everything():
    assert checked_query({}) == Query()
    assert checked_query({"label": 3, "other": "x"}) == Query(label=3)


@pytest.mark.parametrize("value", [-1, 500, "1", None, True, 1.0])
def test_a_number_that_no_image_has(sample, value):
    assert checked_index(499, sample.test) == 499
    with pytest.raises(GalleryError, match="0 to 499"):
        checked_index(value, sample.test)


def test_the_pages_make_up_the_set(evaluation, sample):
    numbers = []
    for page in range(9):
        answer = page_as_json(evaluation, sample.test, Query(page=page))
        assert (answer["page"], answer["pages"], answer["found"]) == (page, 9, 500)
        numbers += [image["index"] for image in answer["images"]]
    assert len(answer["images"]) == 500 % IMAGES_A_PAGE
    assert numbers == list(range(500))


def test_each_image_has_its_own_pixels_label_and_prediction(evaluation, sample):
    answer = page_as_json(evaluation, sample.test, Query(label=4, least_confident_first=True))
    pixels = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).reshape(-1, 28, 28)
    assert len(pixels) == len(answer["images"]) == answer["found"]
    for image, shown in zip(answer["images"], pixels, strict=True):
        index = image["index"]
        np.testing.assert_array_equal(shown, sample.test.images[index])
        assert image["label"] == sample.test.labels[index] == 4
        assert image["prediction"] == evaluation.predictions[index]
        assert image["probability"] == pytest.approx(evaluation.probabilities[index].max().item())
    sureness = [image["probability"] for image in answer["images"]]
    assert sureness == sorted(sureness)


def test_beyond_the_last_page_is_the_last_one(evaluation, sample):
    assert page_as_json(evaluation, sample.test, Query(page=900))["page"] == 8


def test_nothing_found(sample):
    perfect = Evaluation(one_hot(sample.test.labels, 10).float(), sample.test.labels)
    answer = page_as_json(perfect, sample.test, Query(only_mistakes=True))
    assert (answer["found"], answer["page"], answer["pages"], answer["images"]) == (0, 0, 1, [])
    assert answer["pixels"] == ""
