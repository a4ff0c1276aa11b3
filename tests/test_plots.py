"""What stands on the figures; how they look is for eyes."""

import numpy as np
import pytest
import torch

from mnist_mlp.evaluate import Evaluation
from mnist_mlp.plots import confusion_matrix, mistakes, reliability_diagram

LABELS = torch.tensor([3, 3, 3, 4, 7])
IMAGES = (torch.arange(5)[:, None, None] * torch.ones(28, 28)).to(torch.uint8)


@pytest.fixture
def evaluation() -> Evaluation:
    """Images 1 (60% a 5) and 4 (90% a 1) are read wrong."""
    probabilities = torch.full((5, 10), 0.01)
    for index, (digit, probability) in enumerate(
        [(3, 0.95), (5, 0.6), (3, 0.95), (4, 0.7), (1, 0.9)]
    ):
        probabilities[index, digit] = probability
    return Evaluation(probabilities, LABELS)


def test_the_confusion_matrix_shows_every_count(evaluation):
    (axes,) = confusion_matrix(evaluation).axes
    shown = {(round(t.get_position()[1]), round(t.get_position()[0])): t for t in axes.texts}
    counts = {cell: int(text.get_text()) for cell, text in shown.items()}
    assert counts == {(3, 3): 2, (3, 5): 1, (4, 4): 1, (7, 1): 1}
    assert "2 of 5 read wrong, accuracy 60.00%" in axes.get_title()


def test_mistakes_come_with_their_image_the_surest_first(evaluation):
    figure = mistakes(evaluation, IMAGES)
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels] == ["7 as 1 (90.0%)", "3 as 5 (60.0%)"]
    assert [int(np.asarray(axes.images[0].get_array())[0, 0]) for axes in panels] == [4, 1]
    assert figure.get_suptitle().startswith("All 2 mistakes")


def test_of_many_mistakes_only_some_are_shown(evaluation):
    figure = mistakes(evaluation, IMAGES, limit=1)
    assert sum(bool(axes.images) for axes in figure.axes) == 1
    assert figure.get_suptitle().startswith("1 of 2 mistakes")


def test_no_mistakes():
    evaluation = Evaluation(torch.eye(10), torch.arange(10))
    assert mistakes(evaluation, IMAGES).get_suptitle() == "No mistakes"


def test_the_reliability_diagram_has_a_bar_for_each_bin(evaluation):
    accuracy, counts = reliability_diagram(evaluation).axes
    bins = evaluation.reliability
    heights = [[bar.get_height() for bar in axes.patches] for axes in (accuracy, counts)]
    assert heights[0] == bins.accuracy.tolist()
    assert heights[1] == bins.counts.tolist()
    assert f"{evaluation.calibration_error:.2%}" in accuracy.get_title()
