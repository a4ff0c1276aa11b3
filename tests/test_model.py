import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mnist_mlp.model import MLP, WeightsError, load_weights, normalise, save_weights


class TutorialNet(nn.Module):
    """The tutorial's network, written out as its readers have it."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 256)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 64)
        self.fc4 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.view(-1, 28 * 28)
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        x = torch.relu(self.fc3(x))
        return self.fc4(x)


def test_default_network_has_the_tutorials_parameters():
    assert MLP().parameter_count == 242_762


def test_logits_equal_those_of_the_tutorials_network():
    tutorial, ours = TutorialNet(), MLP()
    ours.load_state_dict(tutorial.state_dict())
    images = torch.randn(5, 1, 28, 28)
    torch.testing.assert_close(ours(images), tutorial(images))
    torch.testing.assert_close(ours(images.flatten(1)), tutorial(images))


def test_hidden_sizes_are_data():
    assert MLP(()).parameter_count == 7_850
    assert MLP((2048,) * 6)(torch.zeros(1, 784)).shape == (1, 10)


@pytest.mark.parametrize("sizes", [(0,), (2049,), (10,) * 7, (1.5,), (-3,)])
def test_hidden_sizes_outside_the_limits_are_refused(sizes):
    with pytest.raises(ValueError, match="hidden layer"):
        MLP(sizes)


def test_normalise_is_mean_and_deviation_of_one_half():
    images = torch.arange(784).remainder(256).to(torch.uint8).view(1, 28, 28)
    expected = (images.float() / 255 - 0.5) / 0.5
    torch.testing.assert_close(normalise(images), expected.flatten(1))


def test_probabilities_are_softened_by_the_temperature():
    model = MLP()
    x = torch.randn(4, 784)
    model.temperature = 2.0
    torch.testing.assert_close(model.probabilities(x), torch.softmax(model(x) / 2, dim=1))


def test_weights_come_back_with_their_metadata(tmp_path: Path):
    model = MLP((12, 7))
    model.temperature = 1.25
    save_weights(model, tmp_path / "w.safetensors", data="MNIST", test_accuracy=0.5)
    loaded, metadata = load_weights(tmp_path / "w.safetensors")
    x = torch.randn(3, 784)
    torch.testing.assert_close(loaded(x), model(x))
    assert loaded.temperature == 1.25
    assert metadata["hidden_sizes"] == [12, 7]
    assert metadata["data"] == "MNIST"
    assert metadata["test_accuracy"] == 0.5
    assert list(tmp_path.iterdir()) == [tmp_path / "w.safetensors"]


def test_a_pth_state_dict_of_the_tutorial_loads(tmp_path: Path):
    tutorial = TutorialNet()
    torch.save(tutorial.state_dict(), tmp_path / "best_model.pth")
    model, _ = load_weights(tmp_path / "best_model.pth")
    x = torch.randn(3, 784)
    torch.testing.assert_close(model(x), tutorial(x))


def _missing(_: Path) -> None:
    pass


def _truncated(path: Path) -> None:
    save_weights(MLP(), path)
    path.write_bytes(path.read_bytes()[:-1000])


def _text(path: Path) -> None:
    path.write_text("not weights at all")


def _foreign(path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3, 3)}, path)


def _wrong_shapes(path: Path) -> None:
    save_file({"fc1.weight": torch.zeros(10, 100), "fc1.bias": torch.zeros(10)}, path)


def _wrong_header(path: Path) -> None:
    save_file(MLP().state_dict(), path, metadata={"temperature": json.dumps(-1)})


def _too_wide(path: Path) -> None:
    layers = nn.ModuleDict({"fc1": nn.Linear(784, 3000), "fc2": nn.Linear(3000, 10)})
    save_file(layers.state_dict(), path)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (_missing, "no such weights file"),
        (_truncated, "cut short"),
        (_text, "damaged"),
        (_foreign, "another network"),
        (_wrong_shapes, "do not fit"),
        (_wrong_header, "temperature"),
        (_too_wide, "2,048"),
    ],
)
def test_unusable_safetensors_give_one_sentence(tmp_path: Path, make, complaint: str):
    path = tmp_path / "bad.safetensors"
    make(path)
    with pytest.raises(WeightsError, match=complaint) as error:
        load_weights(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


class Payload:
    """Code that a hostile .pth file would run, were it unpickled."""

    def __reduce__(self):
        return (print, ("this must never be printed",))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(Payload(), "cannot be read safely|can be read safely"), ([1, 2], "other than a state dict")],
)
def test_unusable_pth_files_give_one_sentence(tmp_path: Path, capsys, content, complaint: str):
    path = tmp_path / "bad.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=complaint):
        load_weights(path)
    assert "never be printed" not in capsys.readouterr().out


def test_a_truncated_pth_file_gives_one_sentence(tmp_path: Path):
    path = tmp_path / "cut.pth"
    torch.save(MLP().state_dict(), path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="cut short"):
        load_weights(path)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save_weights(MLP((3,)), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_weights(MLP((4,)), path, not_json=object())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
