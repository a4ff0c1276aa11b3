import re
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_mlp.training import PRESETS, TrainConfig
from mnist_mlp.ui.settings import (
    FIELDS,
    MAX_EPOCHS,
    PAGE_PRESETS,
    config_of,
    fields_of,
    fields_of_address,
    label_of,
    preset_of,
)

TUTORIAL = fields_of(TrainConfig())


@pytest.mark.parametrize("name", PAGE_PRESETS)
def test_presets_survive_the_fields_and_the_address(name: str):
    preset = PAGE_PRESETS[name]
    fields = fields_of(preset)
    assert config_of(fields) == (preset, {})
    address = {field: str(value) for field, value in fields.items()}
    assert config_of(fields_of_address(address)) == (preset, {})
    assert preset_of(fields) == name


def test_the_pages_presets_are_the_command_lines_but_for_what_takes_long():
    assert PAGE_PRESETS["tutorial"] == PRESETS["tutorial"]
    assert PAGE_PRESETS["fast"] == PRESETS["fast"]
    assert PAGE_PRESETS["best"] == replace(
        PRESETS["best"], epochs=MAX_EPOCHS, teacher_epochs=0, non_digits=0
    )


def test_an_address_without_settings_is_the_tutorial():
    assert preset_of(fields_of_address({})) == "tutorial"


def test_changed_settings_are_no_preset():
    assert preset_of({**TUTORIAL, "epochs": "3"}) == "custom"


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("256, 128, 64", (256, 128, 64)),
        ("256 128", (256, 128)),
        ("32\N{FULLWIDTH COMMA}16", (32, 16)),
        ("", ()),
        ("  ", ()),
        ("2048", (2048,)),
    ],
)
def test_hidden_layers(text: str, sizes: tuple[int, ...]):
    config, errors = config_of({**TUTORIAL, "hidden_sizes": text})
    assert errors == {}
    assert config.hidden_sizes == sizes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", "0"),
        ("epochs", "51"),
        ("epochs", "1.5"),
        ("epochs", "many"),
        ("epochs", ""),
        ("epochs", None),
        ("epochs", "nan"),
        ("epochs", "inf"),
        ("batch_size", "15"),
        ("batch_size", "2049"),
        ("learning_rate", "0.000009"),
        ("learning_rate", "1.1"),
        ("learning_rate", "fast"),
        ("hidden_sizes", "256, -3"),
        ("hidden_sizes", "2049"),
        ("hidden_sizes", "0"),
        ("hidden_sizes", "9, 9, 9, 9, 9, 9, 9"),
        ("hidden_sizes", "a few"),
        ("hidden_sizes", "99999999999999999999"),
        ("optimizer", "magic"),
        ("schedule", None),
        ("train_images", "499"),
        ("train_images", "60001"),
        ("train_images", "some"),
        ("seed", "-1"),
        ("seed", str(2**32)),
    ],
)
def test_a_wrong_value_gives_a_sentence_for_its_field_alone(field: str, value):
    config, errors = config_of({**TUTORIAL, field: value})
    assert config is None
    assert list(errors) == [field]
    assert errors[field].endswith(".")


def test_the_label_names_what_is_special():
    config = TrainConfig(hidden_sizes=(), augment=True, train_images=500, seed=3)
    assert label_of(config) == (
        "no hidden layers, adam 0.001, batch 64, 10 epochs, distorted, 500 images, seed 3"
    )


def test_the_script_knows_the_fields_in_their_order():
    script = (Path(__file__).parents[1] / "mnist_mlp" / "ui" / "address.js").read_text()
    names = re.search(r"names = \[(.*?)\]", script, re.DOTALL).group(1)
    assert tuple(re.findall(r'"(\w+)"', names)) == FIELDS
