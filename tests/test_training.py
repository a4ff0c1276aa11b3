from dataclasses import replace

import pytest
import torch

from mnist_mlp.data import Dataset
from mnist_mlp.evaluate import accuracy
from mnist_mlp.training import (
    PRESETS,
    BatchEnd,
    EpochEnd,
    Finished,
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
    assert honest.best.epoch == held_out.index(max(held_out)) + 1


@pytest.mark.parametrize("options", [{}, {"augment": True}, {"schedule": "one-cycle"}])
def test_the_same_seed_gives_the_same_weights(sample: Dataset, options: dict):
    config = replace(QUICK, **options)
    first = finish(config, sample).model.state_dict()
    torch.rand(7)  # other random numbers drawn in between do not matter
    second = finish(config, sample).model.state_dict()
    other = finish(replace(config, seed=1), sample).model.state_dict()
    for name, weights in first.items():
        assert torch.equal(weights, second[name])
        assert not torch.equal(weights, other[name])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("hidden_sizes", [(), (16, 8)])
def test_optimizers_and_shapes(sample: Dataset, optimizer: str, hidden_sizes: tuple):
    config = TrainConfig(
        epochs=3, learning_rate=0.01, optimizer=optimizer, hidden_sizes=hidden_sizes
    )
    assert finish(config, sample).best.test_accuracy > 0.6


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
    from mnist_mlp import training

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
    from mnist_mlp.model import MLP, normalise

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
