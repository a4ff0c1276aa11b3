import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torchvision.datasets import MNIST

from mnist_mlp import data
from mnist_mlp.data import (
    DataError,
    Dataset,
    default_data_dir,
    load_dataset,
    load_mnist,
    read_drawings,
    with_drawings,
)

FIRST, SECOND = [0, 1, 2, 3, 4], [5, 6, 7, 8, 9]


@pytest.fixture
def stalled_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MNIST's servers take the connection and then send nothing at all."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections = []
    threading.Thread(
        target=lambda: connections.extend(iter_connections(listener)), daemon=True
    ).start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    monkeypatch.setattr(MNIST, "mirrors", [address])
    monkeypatch.setattr(data, "SECONDS_WITHOUT_A_BYTE", 0.5)
    yield
    listener.close()


def iter_connections(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        try:
            yield listener.accept()[0]
        except OSError:
            return


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])


class TestMnist:
    def test_splits(self, mnist: Dataset):
        assert [len(part) for part in (mnist.train, mnist.held_out, mnist.test)] == [
            55_000,
            5_000,
            10_000,
        ]
        assert mnist.train.images.dtype == torch.uint8
        assert mnist.train.images.shape == (55_000, 28, 28)
        assert "MNIST" in mnist.notice

    def test_digits_equal_torchvisions(self, mnist: Dataset):
        reference = MNIST(default_data_dir(), train=True)
        torch.testing.assert_close(mnist.train.images, reference.data[:55_000])
        torch.testing.assert_close(mnist.held_out.labels, reference.targets[55_000:])
        assert mnist.name == "MNIST"

    @pytest.mark.usefixtures("no_server")
    def test_a_damaged_file_is_reported_and_never_trained_on(self, mnist, tmp_path: Path):
        assert mnist.name == "MNIST"
        raw = tmp_path / "MNIST" / "raw"
        shutil.copytree(default_data_dir() / "MNIST" / "raw", raw)
        labels = raw / "train-labels-idx1-ubyte"
        labels.chmod(0o644)
        labels.write_bytes(labels.read_bytes()[:-100])
        with pytest.raises(DataError, match="not whole"):
            load_mnist(tmp_path)
        assert load_dataset(tmp_path).name == "MNIST sample"

    @pytest.mark.usefixtures("no_server")
    def test_half_a_download_is_not_taken_for_mnist(self, tmp_path: Path):
        raw = tmp_path / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name in data.MD5_OF_RAW_FILES:
            (raw / name).write_bytes(b"half of it")
        assert load_dataset(tmp_path).name == "MNIST sample"


class TestWithoutMnist:
    @pytest.mark.usefixtures("no_server")
    def test_the_sample_takes_its_place_and_says_so(self, tmp_path: Path):
        sample = load_dataset(tmp_path)
        assert [len(part) for part in (sample.train, sample.held_out, sample.test)] == [
            4_050,
            450,
            500,
        ]
        assert "sample of 5,000" in sample.notice
        assert "--data-dir" in sample.notice
        assert sample.train.images.dtype == torch.uint8
        assert sample.train.images.max() == 255

    @pytest.mark.usefixtures("no_server")
    def test_the_split_is_always_the_same(self, sample: Dataset, tmp_path: Path):
        torch.testing.assert_close(load_dataset(tmp_path).test.images, sample.test.images)

    @pytest.mark.usefixtures("stalled_server")
    def test_a_stalled_server_is_given_up(self, tmp_path: Path):
        start = time.monotonic()
        assert load_dataset(tmp_path).name == "MNIST sample"
        assert time.monotonic() - start < 30
        assert socket.getdefaulttimeout() is None

    def test_it_is_mnists_own_digits(self, sample: Dataset, mnist: Dataset):
        known = {image.numpy().tobytes() for image in mnist.train.images}
        known |= {image.numpy().tobytes() for image in mnist.held_out.images}
        assert all(image.numpy().tobytes() in known for image in sample.test.images)


class TestDrawings:
    def test_pen_digits(self, val_anywhere):
        assert len(val_anywhere.drawings) == len(val_anywhere.labels) == 1_772
        assert {drawing.brush for drawing in val_anywhere.drawings} <= set(range(6, 23))

    def test_brush_is_fourteen_where_a_line_has_none(self, tmp_path: Path):
        path = tmp_path / "d.ndjson"
        path.write_text('{"word": "3", "drawing": [[[1, 2], [3, 4]]], "writer": "me"}\n')
        labelled = read_drawings(path)
        assert labelled.drawings[0].brush == 14
        assert labelled.labels.tolist() == [3]
        assert labelled.drawings[0].strokes[0].tolist() == [[1, 3], [2, 4]]

    def written_by(self, tmp_path: Path, writers: list[str]) -> data.LabelledDrawings:
        """The k-th drawing is a horizontal line, labelled k modulo 10."""
        path = tmp_path / "mine.ndjson"
        lines = (
            json.dumps({"word": str(k % 10), "drawing": [[[9, 99], [9, 9]]], "writer": writer})
            for k, writer in enumerate(writers)
        )
        path.write_text("\n".join(lines))
        return read_drawings(path)

    def test_writers_are_held_out_as_a_whole(self, sample: Dataset, tmp_path: Path):
        labelled = self.written_by(tmp_path, [f"w{k // 5}" for k in range(100)])
        mixed = with_drawings(sample, labelled, seed=0)
        held_out, train = (
            part[len(original) :]
            for part, original in ((mixed.held_out, sample.held_out), (mixed.train, sample.train))
        )
        assert len(held_out) == 10  # of 2 of the 20 writers
        assert len(train) == 4 * 90
        # Writers drew 0 to 4 or 5 to 9: held out are whole writers.
        assert sorted(held_out.labels.tolist()) in [
            sorted(a + b) for a in (FIRST, SECOND) for b in (FIRST, SECOND)
        ]
        assert "90 drawings" in mixed.notice
        assert mixed.test is sample.test

    def test_one_hand_does_not_make_up_what_is_held_out(self, sample: Dataset, tmp_path: Path):
        labelled = self.written_by(tmp_path, ["prolific"] * 80 + [f"w{k}" for k in range(20)])
        mixed = with_drawings(sample, labelled, seed=0)
        assert len(mixed.held_out) == len(sample.held_out) + 10
        assert len(mixed.train) == len(sample.train) + 4 * 90

    def test_mixing_is_the_same_with_the_same_seed(self, sample: Dataset, tmp_path: Path):
        labelled = self.written_by(tmp_path, [""] * 30)
        one, same, other = (
            with_drawings(sample, labelled, seed).train.images for seed in (1, 1, 2)
        )
        assert torch.equal(one, same)
        assert not torch.equal(one, other)

    @pytest.mark.parametrize(
        ("line", "complaint"),
        [
            ("{nonsense", "not JSON"),
            ("[1, 2]", "JSON object"),
            ('{"word": "x", "drawing": []}', "must be a digit"),
            ('{"word": 3, "drawing": []}', "must be a digit"),
            ('{"word": "3"}', "list of strokes"),
            ('{"word": "3", "drawing": [[[1], [1, 2]]]}', "same length"),
            ('{"word": "3", "drawing": [[[1], [NaN]]]}', "finite"),
            ('{"word": "3", "drawing": [[[1], [1]]], "brush": -1}', "brush"),
            ("", "not JSON"),
        ],
    )
    def test_a_bad_line_is_named(self, tmp_path: Path, line: str, complaint: str):
        path = tmp_path / "d.ndjson"
        path.write_text('{"word": "3", "drawing": [[[1, 2], [3, 4]]]}\n' + line + "\n")
        with pytest.raises(DataError, match=complaint) as error:
            read_drawings(path)
        assert str(error.value).startswith(f"{path}:2: ")

    @pytest.mark.parametrize(
        ("content", "complaint"), [(b"\xff\xfe\x00", "UTF-8"), (b"", "no drawing")]
    )
    def test_a_bad_file_is_named(self, tmp_path: Path, content: bytes, complaint: str):
        path = tmp_path / "d.ndjson"
        path.write_bytes(content)
        with pytest.raises(DataError, match=complaint):
            read_drawings(path)

    def test_a_missing_file_is_named(self, tmp_path: Path):
        with pytest.raises(DataError, match=r"nowhere\.ndjson: No such file"):
            read_drawings(tmp_path / "nowhere.ndjson")
