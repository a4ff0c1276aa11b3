"""The command lines, as processes."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score

from mnist_mlp.classify import Classifier
from mnist_mlp.data import read_drawings
from mnist_mlp.evaluate import evaluate
from mnist_mlp.model import load_weights, save_weights
from mnist_mlp.preprocess import Drawing, render

REPOSITORY = Path(__file__).parent.parent
QUICK = ("--epochs", "1", "--batch-size", "256", "--hidden-sizes", "32")


def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    drawing = Drawing.from_lists([[[60, 200, 110], [50, 50, 220]]])
    Image.fromarray(render(drawing)).save(tmp_path / "seven.png")
    return tmp_path / "seven.png"


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises this size and holds no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def bad_pictures(folder: Path) -> dict[str, str]:
    """Writes a bad picture of each kind; what must be said about each, by its name."""
    (folder / "text.png").write_text("hello")
    (folder / "empty.jpg").touch()
    Image.effect_noise((300, 300), 80).save(folder / "truncated.jpg")
    os.truncate(folder / "truncated.jpg", 5000)
    (folder / "nothing.png").write_bytes(png_header(0, 0))
    Image.new("L", (1, 1)).save(folder / "pixel.png")
    (folder / "huge.png").write_bytes(png_header(30_000, 30_000))
    frames = [Image.new("L", (50, 50), grey) for grey in (0, 255)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    (folder / "heavy.png").touch()
    os.truncate(folder / "heavy.png", 40 * 10**6)
    Image.new("RGB", (300, 200), "white").save(folder / "blank.png")
    Image.new("RGB", (300, 200), "black").save(folder / "black.jpg")
    return {
        "text.png": "not a picture",
        "empty.jpg": "not a picture",
        "truncated.jpg": "damaged or cut short",
        "nothing.png": "not a picture",
        "pixel.png": "only 1 x 1 pixels",
        "huge.png": "over 50 megapixels",
        "animated.gif": "animated",
        "heavy.png": "over 10 MB",
        "blank.png": "nothing drawn",
        "black.jpg": "nothing drawn",
    }


@pytest.mark.parametrize(
    "command",
    [
        ("app.py",),
        ("train.py",),
        ("-m", "mnist_mlp"),
        ("-m", "mnist_mlp", "predict"),
        ("-m", "mnist_mlp", "evaluate"),
        ("-m", "mnist_mlp", "browse"),
    ],
)
def test_help_needs_no_heavy_import(command: tuple[str, ...]):
    result = run("-X", "importtime", *command, "--help")
    assert result.returncode == 0
    assert "usage" in result.stdout
    for module in ("torch", "gradio", "numpy", "matplotlib", "PIL"):
        assert f" {module}\n" not in result.stderr


def test_the_core_does_not_know_gradio():
    modules = [path.stem for path in (REPOSITORY / "mnist_mlp").glob("[a-z]*.py")]
    imports = "; ".join(f"import mnist_mlp.{module}" for module in modules)
    result = run("-c", f"{imports}; import sys; sys.exit('gradio' in sys.modules)")
    assert result.returncode == 0, result.stderr


class TestPredict:
    def test_a_line_a_picture(self, seven: Path):
        result = run("-m", "mnist_mlp", "predict", seven)
        assert result.returncode == 0
        assert result.stdout.startswith(f"{seven}: 7 (")
        assert result.stdout.count("%") == 3

    def test_json_has_the_form_that_other_tools_read(self, seven: Path, classifier: Classifier):
        result = run("-m", "mnist_mlp", "predict", seven, "--json", "--top", "2")
        expected = classifier.read_picture(Image.open(seven), top=2)
        assert json.loads(result.stdout) == {
            "file": str(seven),
            "number": "7",
            "digits": [
                {
                    "box": list(expected.stages.box),
                    "sure": True,
                    "top": [
                        {"digit": guess.digit, "probability": pytest.approx(guess.probability)}
                        for guess in expected.guesses
                    ],
                }
            ],
            "error": None,
        }

    def test_one_bad_picture_among_good_ones(self, seven: Path, tmp_path: Path):
        (tmp_path / "text.png").write_text("hello")
        Image.new("L", (40, 40), 255).save(tmp_path / "blank.png")
        files = (tmp_path / "text.png", seven, tmp_path / "blank.png", tmp_path / "none.png")
        result = run("-m", "mnist_mlp", "predict", *files, "--json")
        text, good, blank, none = map(json.loads, result.stdout.splitlines())
        assert result.returncode == 1
        assert good["number"] == "7"
        assert "not a picture" in text["error"]
        assert blank["error"] == "nothing drawn"
        assert "no such file" in none["error"]
        assert result.stderr == ""

    def test_folders_and_a_number(self, tmp_path: Path):
        (tmp_path / "more" / "empty").mkdir(parents=True)
        (tmp_path / "more" / "notes.txt").write_text("no picture")
        strokes = [[[60, 60], [80, 180]], [[120, 190, 150], [80, 80, 180]]]
        seventeen = tmp_path / "more" / "seventeen.png"
        Image.fromarray(render(Drawing.from_lists(strokes))).save(seventeen)
        result = run("-m", "mnist_mlp", "predict", tmp_path, "--json")
        assert result.returncode == 0
        (number,) = map(json.loads, result.stdout.splitlines())
        assert (number["file"], number["number"]) == (str(seventeen), "17")
        assert [digit["top"][0]["digit"] for digit in number["digits"]] == [1, 7]
        assert number["digits"][0]["box"][0] < number["digits"][1]["box"][0]
        in_words = run("-m", "mnist_mlp", "predict", seventeen).stdout
        assert in_words.startswith(f"{seventeen}: 17: 1 (")
        empty = run("-m", "mnist_mlp", "predict", tmp_path / "more" / "empty")
        assert empty.returncode == 1
        assert "There is no picture in this folder." in empty.stderr

    def test_the_figure(self, seven: Path, tmp_path: Path):
        figure = tmp_path / "figure.svg"
        result = run("-m", "mnist_mlp", "predict", seven, "--save", figure)
        assert result.returncode == 0
        reading = Classifier.load().read_picture(Image.open(seven))
        percent = f"{100 * reading.guesses[0].probability:.1f} %"
        assert f"Predicted: 7 ({percent})" in figure.read_text()

    @pytest.mark.parametrize("name", ["figure.txt", "nowhere/figure.png"])
    def test_a_figure_that_cannot_be(self, seven: Path, tmp_path: Path, name: str):
        result = run("-m", "mnist_mlp", "predict", seven, "--save", tmp_path / name)
        assert result.returncode == 2
        assert "--save" in result.stderr
        assert result.stdout == ""

    def test_bad_pictures_are_one_sentence_each(self, tmp_path: Path):
        expected = bad_pictures(tmp_path)
        result = run("-m", "mnist_mlp", "predict", tmp_path, "--json")
        assert result.returncode == 1
        assert result.stderr == ""
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        errors = {Path(answer["file"]).name: answer["error"] for answer in answers}
        assert errors.keys() == expected.keys()
        for name, part in expected.items():
            assert part in errors[name], name
            assert errors[name].count(".") <= 1, name
        assert all(answer["digits"] == [] for answer in answers)

    @pytest.mark.parametrize("mode", ["I;16", "CMYK"])
    def test_unusual_pictures_are_read(self, seven: Path, tmp_path: Path, mode: str):
        file = tmp_path / "unusual.tif"
        with Image.open(seven) as image:
            grey = np.asarray(image.convert("L"))
        if mode == "I;16":
            Image.fromarray(grey.astype(np.uint16) * 257).save(file)
        else:
            Image.fromarray(grey).convert("CMYK").save(file)
        with Image.open(file) as image:
            assert image.mode == mode
        assert json.loads(run("-m", "mnist_mlp", "predict", file, "--json").stdout)["number"] == "7"

    def test_no_progress_without_a_terminal(self, seven: Path):
        result = run("-m", "mnist_mlp", "predict", *[seven] * 100)
        assert result.stdout.count(": 7 (") == 100
        assert result.stderr == ""

    def test_unusable_weights(self, seven: Path):
        result = run("-m", "mnist_mlp", "predict", seven, "--weights", "nowhere.safetensors")
        assert result.returncode == 2
        assert result.stderr == "nowhere.safetensors: there is no such weights file.\n"

    def test_wrong_usage(self):
        assert run("-m", "mnist_mlp", "predict").returncode == 2


class TestEvaluate:
    def test_drawings_as_json(self, val_anywhere_file: Path, classifier: Classifier):
        result = run("-m", "mnist_mlp", "evaluate", "--json", "--drawings", val_anywhere_file)
        (entry,) = json.loads(result.stdout)
        assert set(entry) == {"set", "n", "top1", "top3", "ece", "seconds"}
        labelled = read_drawings(val_anywhere_file)
        guesses = [classifier.read_drawing(d).guesses[0].digit for d in labelled.drawings]
        assert entry["n"] == 1_772
        assert entry["top1"] == pytest.approx(accuracy_score(labelled.labels, guesses), abs=2e-3)

    def test_mnist_with_the_tutorials_weights(self, mnist, tutorial_folder: Path):
        weights = tutorial_folder / "best_model.pth"
        result = run("-m", "mnist_mlp", "evaluate", "--json", "--weights", weights)
        (entry,) = json.loads(result.stdout)
        assert entry["n"] == len(mnist.test)
        assert entry["top1"] == pytest.approx(0.9756)

    def test_without_mnist_the_sample_is_scored_and_named(self, offline_environment):
        result = run("-m", "mnist_mlp", "evaluate", env=offline_environment)
        assert result.returncode == 0
        assert "MNIST sample test" in result.stdout
        assert "sample of 5,000 MNIST digits" in result.stderr

    def test_a_bad_file_of_drawings(self, tmp_path: Path):
        (tmp_path / "bad.ndjson").write_text("{}\n")
        result = run("-m", "mnist_mlp", "evaluate", "--drawings", tmp_path / "bad.ndjson")
        assert result.returncode == 2
        assert result.stderr.startswith(f"{tmp_path / 'bad.ndjson'}:1: ")

    def test_figures_are_saved(self, tmp_path: Path, offline_environment, classifier, sample):
        folder = tmp_path / "new" / "figures"
        result = run(
            "-m", "mnist_mlp", "evaluate", "--json", "--save", folder, env=offline_environment
        )
        assert result.returncode == 0, result.stderr
        assert str(folder) in result.stderr
        (entry,) = json.loads(result.stdout)
        saved = json.loads((folder / "evaluation.json").read_text())
        assert saved.items() >= entry.items()
        expected = evaluate(classifier.model, sample.test)
        assert saved["confusion_matrix"] == expected.confusion_matrix.tolist()
        assert sum(each["count"] for each in saved["reliability"]) == entry["n"] == 500
        pictures = ("confusion_matrix.png", "mistakes.png", "reliability_diagram.png")
        assert {path.name for path in folder.iterdir()} == {"evaluation.json", *pictures}
        for name in pictures:
            with Image.open(folder / name) as picture:
                assert picture.width > 500

    def test_several_sets_are_saved_apart(self, tmp_path: Path):
        for name in ("one/mine", "two/mine", "two/yours"):
            path = tmp_path / f"{name}.ndjson"
            path.parent.mkdir(exist_ok=True)
            line = {"word": "7", "drawing": [[[60, 200, 110], [50, 50, 220]]]}
            path.write_text(json.dumps(line))
        files = sorted(tmp_path.rglob("*.ndjson"))
        save = tmp_path / "figures"
        result = run("-m", "mnist_mlp", "evaluate", "--drawings", *files, "--save", save)
        assert result.returncode == 0, result.stderr
        assert {path.name for path in save.iterdir()} == {"1-mine", "2-mine", "yours"}
        for name, file in zip(("1-mine", "2-mine", "yours"), files, strict=True):
            assert json.loads((save / name / "evaluation.json").read_text())["set"] == str(file)

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path):
        (tmp_path / "file").write_text("")
        result = run("-m", "mnist_mlp", "evaluate", "--save", tmp_path / "file")
        assert result.returncode == 2
        assert result.stderr == f"{tmp_path / 'file'}: File exists.\n"
        assert result.stdout == ""


class TestBrowse:
    def test_it_names_the_tab_in_the_address(self):
        process = subprocess.Popen(
            [sys.executable, "-m", "mnist_mlp", "browse", "--no-browser", "--port", "7870"],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        lines = iter(process.stdout.readline, "")
        address = next(line for line in lines if "The page is at" in line).split()[4]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?tab=test-set", address)
        assert process.returncode == 130

    def test_unusable_port(self):
        result = run("-m", "mnist_mlp", "browse", "--host", "203.0.113.7")
        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1


class TestTrain:
    def test_it_writes_weights_history_and_curves(self, tmp_path: Path, offline_environment):
        result = run("train.py", *QUICK, "--output", tmp_path, env=offline_environment)
        assert result.returncode == 0, result.stderr
        assert "Epoch 1/1: loss" in result.stdout
        assert "Device: " in result.stdout
        assert "sample of 5,000" in result.stdout
        model, metadata = load_weights(tmp_path / "weights.safetensors")
        history = json.loads((tmp_path / "history.json").read_text())
        assert model.hidden_sizes == (32,)
        assert metadata["data"] == "MNIST sample"
        assert metadata["test_accuracy"] == history["epochs"][0]["test_accuracy"]
        assert metadata["config"] == history["config"]
        with Image.open(tmp_path / "training_curves.png") as curves:
            assert curves.width > 2 * curves.height

    def test_drawings_train_as_well(self, tmp_path: Path, offline_environment):
        line = json.dumps({"word": "7", "drawing": [[[60, 200, 110], [50, 50, 220]]]})
        (tmp_path / "mine.ndjson").write_text("\n".join([line] * 20))
        options = ("--drawings", tmp_path / "mine.ndjson", "--output", tmp_path)
        result = run("train.py", *QUICK, *options, env=offline_environment)
        assert result.returncode == 0, result.stderr
        assert "18 drawings" in result.stdout
        _, metadata = load_weights(tmp_path / "weights.safetensors")
        assert metadata["data"] == "MNIST sample and 20 drawings"

    def test_a_bad_file_of_drawings(self, tmp_path: Path):
        (tmp_path / "bad.ndjson").write_text("{}\n")
        result = run("train.py", "--drawings", tmp_path / "bad.ndjson", "--output", tmp_path)
        assert result.returncode == 2
        assert result.stderr.startswith(f"{tmp_path / 'bad.ndjson'}:1: ")

    @pytest.mark.parametrize(
        ("option", "value", "complaint"),
        [
            ("--learning-rate", "-1", "learning rate"),
            ("--preset", "magic", "preset"),
            ("--optimizer", "magic", "optimizer"),
            ("--hidden-sizes", "9999", "2,048"),
            ("--device", "abacus", "abacus"),
        ],
    )
    def test_wrong_settings(self, tmp_path: Path, option: str, value: str, complaint: str):
        result = run("train.py", option, value, "--output", tmp_path)
        assert result.returncode == 2
        assert complaint in result.stderr
        assert len(result.stderr.splitlines()) == 1

    def test_a_loss_that_is_no_number(self, tmp_path: Path, offline_environment):
        options = ("--optimizer", "sgd", "--learning-rate", "10", "--output", tmp_path)
        result = run("train.py", *options, env=offline_environment)
        assert result.returncode == 1
        assert "learning rate 10 is too high" in result.stderr
        assert "Traceback" not in result.stderr

    def test_ctrl_c_keeps_the_best_so_far(self, tmp_path: Path, offline_environment):
        process = subprocess.Popen(
            [sys.executable, "-u", "train.py", "--epochs", "10000", "--output", str(tmp_path)],
            cwd=REPOSITORY,
            env=offline_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while "Epoch     2/" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in errors
        assert "Best epoch" in output
        load_weights(tmp_path / "weights.safetensors")

    def test_ctrl_c_before_training(self, tmp_path: Path):
        process = subprocess.Popen(
            [sys.executable, "train.py", "--output", str(tmp_path)],
            cwd=REPOSITORY,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in errors

    def test_two_processes_train_as_well_as_one(self, mnist, tmp_path: Path):
        assert len(mnist.train) == 55_000
        epochs = ("--epochs", "2", "--batch-size", "256", "--output")
        one = run("train.py", *epochs, tmp_path / "one")
        launcher = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29517")
        two = run(*launcher, "train.py", *epochs, tmp_path / "two")
        assert one.returncode == two.returncode == 0, two.stderr
        accuracies = [
            load_weights(tmp_path / name / "weights.safetensors")[1]["test_accuracy"]
            for name in ("one", "two")
        ]
        assert accuracies[1] == pytest.approx(accuracies[0], abs=0.003)
        assert two.stdout.count("Best epoch") == 1


def test_weights_trained_here_are_read_by_the_other_commands(tmp_path: Path, classifier, seven):
    path = tmp_path / "copy.safetensors"
    save_weights(classifier.model, path)
    result = run("-m", "mnist_mlp", "predict", seven, "--weights", path, env=dict(os.environ))
    assert result.stdout.startswith(f"{seven}: 7 (")
