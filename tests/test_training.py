from dataclasses import replace

import pytest
import torch

from mnist_mlp import training
from mnist_mlp.data import NO_DIGIT, Dataset
from mnist_mlp.evaluate import accuracy, evaluate
from mnist_mlp.model import MLP, normalise
from mnist_mlp.preprocess import images_of_drawings
from mnist_mlp.scribbles import non_digits, with_non_digits
from mnist_mlp.training import (
    PRESETS,
    BatchEnd,
    EpochEnd,
    Finished,
    OfTeacher,
    TrainConfig,
    TrainingError,
    choose_device,
    train,
)

QUICK = TrainConfig(epochs=2, batch_size=128, learning_rate=2e-3, hidden_sizes=(32,))


def finish(config: TrainConfig, data: Dataset, **options) -> Finished:
    *_, finished = train(config, data, **options)
    return finished


def test_the_defaults_are_the_tutorials():
    assert TrainConfig() == TrainConfig(
        epochs=10,
        batch_size=64,
        learning_rate=0.001,
        hidden_sizes=(256, 128, 64),
        optimizer="adam",
        schedule="constant",
        augment=False,
    )
    assert PRESETS["tutorial"] == TrainConfig()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"epochs": 0}, "Epochs"),
        ({"batch_size": 0}, "Batch size"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"learning_rate": float("nan")}, "learning rate"),
        ({"hidden_sizes": (0,)}, "hidden layer"),
        ({"optimizer": "magic"}, "optimizer"),
        ({"schedule": "weekly"}, "schedule"),
        ({"train_images": 0}, "training image"),
        ({"teacher_epochs": -1}, "teacher"),
        ({"non_digits": -1}, "non-digits"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_wrong_setting_gives_one_sentence(wrong: dict, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        TrainConfig(**wrong)


def test_events_come_in_order(sample: Dataset):
    events = list(train(QUICK, sample))
    batches = -(-len(sample.train) // 128)
    kinds = ([BatchEnd] * batches + [EpochEnd]) * 2 + [Finished]
    assert [type(event) for event in events] == kinds
    assert [e.batch for e in events[:batches]] == list(range(1, batches + 1))
    assert all(event.images_per_second > 0 for event in events[:batches])


def test_fewer_training_images(sample: Dataset):
    first = next(iter(train(replace(QUICK, train_images=500), sample)))
    assert first.batches == 4


def test_it_learns(sample: Dataset):
    finished = finish(replace(QUICK, epochs=5), sample)
    losses = [epoch.loss for epoch in finished.history]
    assert losses[-1] < losses[0] / 2
    assert finished.best.test_accuracy > 0.85
    assert not finished.stopped


def test_the_reported_accuracies_are_those_of_the_returned_weights(sample: Dataset):
    finished = finish(QUICK, sample)
    assert accuracy(finished.model, sample.test) == finished.best.test_accuracy
    assert accuracy(finished.model, sample.held_out) == finished.best.held_out_accuracy


def test_the_best_epoch_is_chosen_on_the_held_out_digits(sample: Dataset):
    """With test labels that are all wrong the choice must stay the same."""
    blind = replace(sample, test=replace(sample.test, labels=(sample.test.labels + 1) % 10))
    config = replace(QUICK, epochs=6, learning_rate=0.02)
    honest, deceived = finish(config, sample), finish(config, blind)
    assert deceived.best.epoch == honest.best.epoch
    held_out = [epoch.held_out_accuracy for epoch in honest.history]
    best = [epoch for epoch, value in enumerate(held_out, 1) if value == max(held_out)]
    assert honest.best.epoch == best[-1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"augment": True},
        {"schedule": "one-cycle"},
        {"optimizer": "muon", "schedule": "linear", "averaged": True},
        {"teacher_epochs": 1, "train_images": 1_000},
    ],
    ids=str,
)
def test_the_same_seed_gives_the_same_weights(sample: Dataset, options: dict):
    config = replace(QUICK, **options)
    first = finish(config, sample).model.state_dict()
    torch.rand(7)  # other random numbers drawn in between do not matter
    second = finish(config, sample).model.state_dict()
    other = finish(replace(config, seed=1), sample).model.state_dict()
    for name, weights in first.items():
        assert torch.equal(weights, second[name])
        assert not torch.equal(weights, other[name])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "muon"])
@pytest.mark.parametrize("hidden_sizes", [(), (16, 8)])
def test_optimizers_and_shapes(sample: Dataset, optimizer: str, hidden_sizes: tuple):
    config = TrainConfig(
        epochs=3, learning_rate=0.01, optimizer=optimizer, hidden_sizes=hidden_sizes
    )
    assert finish(config, sample).best.test_accuracy > 0.6


def test_a_linear_schedule_warms_up_and_ends_at_zero():
    weights = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weights], lr=2.0)
    schedule = training._schedule("linear", optimizer, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == pytest.approx(2.0, abs=0.2)
    assert rates[-1] == pytest.approx(0.02)
    assert optimizer.param_groups[0]["lr"] == 0


def test_averaged_weights_are_those_that_are_measured_and_returned(sample: Dataset):
    """At a rate that is too high for a single step's weights, their average is far better."""
    config = replace(QUICK, epochs=8, batch_size=32, learning_rate=0.01)
    plain, averaged = finish(config, sample), finish(replace(config, averaged=True), sample)
    assert averaged.best.test_accuracy > plain.best.test_accuracy + 0.02
    assert accuracy(averaged.model, sample.test) == averaged.best.test_accuracy


def test_distorted_copies_come_in_turn_with_the_digits_themselves(sample: Dataset):
    views = training._Views(sample.train[:50], replace(QUICK, augment=True))
    seen = [views.next()[0] for _ in range(2 * (training.COPIES + training.ORIGINALS_AMONG_THEM))]
    originals = [torch.equal(images, sample.train.images[:50]) for images in seen]
    assert sum(originals) == 2 * training.ORIGINALS_AMONG_THEM
    assert len({images.numpy().tobytes() for images in seen}) == 1 + training.COPIES


def test_where_digits_are_distorted_so_are_the_held_out_ones(sample: Dataset):
    config = replace(QUICK, epochs=1, augment=True)
    judged = training._with_mild_copies(sample.held_out)
    finished = finish(config, sample)
    assert finished.best.held_out_accuracy == accuracy(finished.model, judged)
    assert len(judged) == (1 + training.HELD_OUT_COPIES) * len(sample.held_out)
    for first in range(0, len(judged), len(sample.held_out)):
        labels = judged.labels[first : first + len(sample.held_out)]
        assert torch.equal(labels, sample.held_out.labels)


class TestTeacher:
    config = replace(QUICK, epochs=3, teacher_epochs=2, train_images=2_000)

    def test_it_is_trained_first_and_for_so_many_epochs(self, sample: Dataset):
        events = list(train(self.config, sample))
        of_teacher = [isinstance(event, OfTeacher) for event in events]
        assert of_teacher == sorted(of_teacher, reverse=True)
        teachers = [e.event.epoch for e in events if of_teacher and isinstance(e, OfTeacher)]
        assert sorted(set(teachers)) == [1, 2]
        assert [epoch.epoch for epoch in events[-1].history] == [1, 2, 3]

    def test_its_probabilities_are_learned(self, sample: Dataset):
        """A teacher that takes every digit for a 3 is believed as much as the label."""
        views = training._Views(sample.train, QUICK)

        class Stubborn(torch.nn.Module):
            def forward(self, x):
                return torch.nn.functional.one_hot(torch.full((len(x),), 3), 10) * 20.0

        views.teacher = Stubborn()
        images, targets = views.next()
        assert targets.shape == (len(images), 10)
        odds = float(torch.tensor(20.0 / training.SOFTENING).exp())
        of_a_three = targets[sample.train.labels == 3]
        of_a_seven = targets[sample.train.labels == 7]
        assert of_a_three[:, 3].tolist() == pytest.approx(
            [0.5 + 0.5 * odds / (odds + 9)] * len(of_a_three)
        )
        assert of_a_seven[:, 3].tolist() == pytest.approx(
            [0.5 * odds / (odds + 9)] * len(of_a_seven)
        )
        assert (of_a_seven[:, 7] > 0.5).all()

    def test_of_non_digits_it_is_not_asked(self, sample: Dataset):
        data = with_non_digits(sample, 20, 0)
        views = training._Views(data.train, QUICK)
        views.teacher = training.Teacher().eval()
        _, targets = views.next()
        torch.testing.assert_close(targets[-20:], torch.full((20, 10), 0.1))


def test_non_digits_make_the_network_doubt_what_is_none(sample: Dataset):
    config = replace(QUICK, epochs=8)
    unseen = torch.from_numpy(images_of_drawings(non_digits(200, seed=7)))
    confidence = [
        finish(config, data).model.probabilities(normalise(unseen)).amax(dim=1).mean().item()
        for data in (sample, with_non_digits(sample, 1_000, seed=0))
    ]
    assert confidence[1] < 0.7 * confidence[0]


def test_training_accuracy_is_of_the_digits_alone(sample: Dataset):
    data = with_non_digits(sample, 1_000, seed=0)
    assert (data.train.labels == NO_DIGIT).sum() == 1_000
    assert finish(replace(QUICK, epochs=8), data).history[-1].train_accuracy > 0.9


def test_the_temperature_is_fitted_on_the_held_out_digits(sample: Dataset):
    finished = finish(replace(QUICK, epochs=6), sample)
    model = finished.model

    def loss(temperature: float) -> float:
        model.temperature = temperature
        probabilities = evaluate(model, sample.held_out).probabilities
        return torch.nn.functional.nll_loss(probabilities.log(), sample.held_out.labels).item()

    fitted = model.temperature
    assert loss(fitted) < min(loss(0.9 * fitted), loss(1.1 * fitted))


def test_it_stops_between_batches_and_keeps_what_it_has(sample: Dataset):
    seen = []
    events = list(train(QUICK, sample, should_stop=lambda: len(seen) >= 4 or seen.append(1)))
    assert [type(event) for event in events] == [BatchEnd] * 5 + [EpochEnd, Finished]
    assert events[-1].stopped
    assert accuracy(events[-1].model, sample.test) == events[-1].best.test_accuracy


def test_it_can_be_stopped_after_the_first_batch(sample: Dataset):
    events = list(train(QUICK, sample, should_stop=lambda: True))
    assert [type(event) for event in events] == [BatchEnd, EpochEnd, Finished]


@pytest.mark.parametrize("learning_rate", [1.0, 10.0])
def test_a_loss_that_runs_away_names_the_learning_rate(sample: Dataset, learning_rate: float):
    config = TrainConfig(optimizer="sgd", learning_rate=learning_rate)
    with pytest.raises(TrainingError, match=f"learning rate {learning_rate:g} is too high"):
        list(train(config, sample))


def test_a_late_failure_keeps_the_best_epoch(sample: Dataset, monkeypatch):
    """One poisoned batch in the second epoch."""
    real, calls = training.F.cross_entropy, []

    def poisoned(*arguments):
        calls.append(1)
        return real(*arguments) * (float("nan") if len(calls) > 40 else 1)

    monkeypatch.setattr(training.F, "cross_entropy", poisoned)
    events = train(QUICK, sample)
    finished = next(event for event in events if isinstance(event, Finished))
    assert finished.best.epoch == 1
    with pytest.raises(TrainingError, match="epoch 2"):
        next(events)


def test_one_forward_pass_of_training_equals_plain_pytorch(sample: Dataset):
    """The first step's loss is that of a hand-written loop on the same images."""
    first = next(iter(train(QUICK, sample)))
    with torch.random.fork_rng():
        torch.manual_seed(QUICK.seed)
        model = MLP(QUICK.hidden_sizes)
    order = torch.randperm(len(sample.train), generator=torch.Generator().manual_seed(QUICK.seed))
    batch = sample.train[order[: QUICK.batch_size]]
    expected = torch.nn.CrossEntropyLoss()(model(normalise(batch.images)), batch.labels)
    assert first.loss == pytest.approx(expected.item(), rel=1e-5)


def test_devices():
    assert choose_device("cpu").type == "cpu"
    assert choose_device().type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="abacus"):
        choose_device("abacus")
