import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, top_k_accuracy_score

from mnist_mlp.evaluate import Evaluation, accuracy, evaluate, fit_temperature
from mnist_mlp.model import MLP


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (3_000,), generator=random)
    logits = torch.randn(3_000, 10, generator=random) * 2
    logits[torch.arange(3_000), labels] += 2
    return Evaluation(logits.softmax(dim=1), labels)


def test_accuracy_equals_scikit_learns(evaluation):
    expected = accuracy_score(evaluation.labels, evaluation.predictions)
    assert evaluation.accuracy == pytest.approx(expected)
    assert evaluation.errors == round(3_000 * (1 - expected))


def test_top_k_equals_scikit_learns(evaluation):
    for k in (1, 2, 3, 5):
        expected = top_k_accuracy_score(evaluation.labels, evaluation.probabilities, k=k)
        assert evaluation.top_k(k) == pytest.approx(expected)


def test_confusion_matrix_equals_scikit_learns(evaluation):
    expected = confusion_matrix(evaluation.labels, evaluation.predictions)
    np.testing.assert_array_equal(evaluation.confusion_matrix, expected)


def test_calibration_error_by_hand():
    """Two bins: 4 answers at 0.62 of which 3 are right, 2 at 0.97 of which 1 is right."""
    probabilities = torch.zeros(6, 10)
    probabilities[:4, 0], probabilities[:4, 1] = 0.62, 0.38
    probabilities[4:, 0], probabilities[4:, 1] = 0.97, 0.03
    labels = torch.tensor([0, 0, 0, 1, 0, 1])
    expected = 4 / 6 * abs(3 / 4 - 0.62) + 2 / 6 * abs(1 / 2 - 0.97)
    assert Evaluation(probabilities, labels).calibration_error == pytest.approx(expected, abs=1e-6)


def test_a_network_is_scored_alike_in_one_go_and_in_batches(sample):
    model = MLP()
    assert accuracy(model, sample.train) == pytest.approx(evaluate(model, sample.train).accuracy)


def test_the_tutorials_weights_score_what_its_author_reports(mnist, tutorial_folder):
    from mnist_mlp.model import load_weights

    model, _ = load_weights(tutorial_folder / "best_model.pth")
    assert evaluate(model, mnist.test).accuracy == pytest.approx(0.9756)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_logits_that_are_too_large(temperature: float):
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(40_000, 10, generator=random) * 2
    labels = logits.softmax(dim=1).multinomial(1, generator=random).flatten()
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.02)
