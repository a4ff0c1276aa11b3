"""Read pictures of digits, and measure how well a network does: `python -m mnist_mlp`."""

import argparse
import io
import json
import sys
import time
from pathlib import Path

from mnist_mlp import __version__

EXIT_FAILED = 1
EXIT_WRONG_USAGE = 2
FIGURE_SUFFIXES = (".png", ".jpg", ".pdf", ".svg")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    from mnist_mlp.ui.launch import add_page_options

    parser = argparse.ArgumentParser(prog="python -m mnist_mlp", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    predict = commands.add_parser(
        "predict",
        help="read the number in each picture",
        description="Read the number in each picture: photographs, scans and drawings, of one "
        "digit or several in a row. Exits with 1 if any picture could not be read.",
    )
    predict.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a picture, or a folder of pictures"
    )
    predict.add_argument(
        "--top",
        type=int,
        default=3,
        choices=range(1, 11),
        metavar="K",
        help="guesses a digit, 1 to 10 (default: 3)",
    )
    predict.add_argument("--json", action="store_true", help="print one JSON object a picture")
    predict.add_argument(
        "--save",
        type=_figure,
        metavar="FIGURE",
        help="draw the first 30 pictures, their ink outlined and what was read, into this .png, "
        ".jpg, .pdf or .svg file",
    )

    evaluate = commands.add_parser(
        "evaluate",
        help="score a network on labelled digits",
        description="Score a network on MNIST's test set, or on drawings: top-1 and top-3 "
        "accuracy and calibration error; with --save more of it, in pictures.",
    )
    evaluate.add_argument(
        "--drawings",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="score these .ndjson files of drawings instead of MNIST's test set",
    )
    evaluate.add_argument(
        "--data-dir", type=Path, help="where MNIST is or goes (default: MNIST_DATA_DIR, else data)"
    )
    evaluate.add_argument("--json", action="store_true", help="print one JSON array, a set each")
    evaluate.add_argument(
        "--save",
        type=Path,
        metavar="FOLDER",
        help="write the confusion matrix, the mistakes and a reliability diagram as PNG and the "
        "figures as JSON; of several sets, each into a folder of its own in this one",
    )

    browse = commands.add_parser(
        "browse",
        help="open the page on its tab of test images",
        description="Open the page on its tab of test images, each with what the network makes of "
        "it; the other tabs are there as well.",
    )
    add_page_options(browse)

    for command in (predict, evaluate):
        command.add_argument(
            "--weights", type=Path, help="a .safetensors or .pth file (default: the shipped one)"
        )
    return parser.parse_args(arguments)


def _figure(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text} must end in .png, .jpg, .pdf or .svg")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def run_predict(options: argparse.Namespace) -> int:
    from mnist_mlp.predict import predict_files

    return 0 if predict_files(options) else EXIT_FAILED


def run_evaluate(options: argparse.Namespace) -> int:
    from mnist_mlp.model import SHIPPED_WEIGHTS, load_weights

    model, _ = load_weights(options.weights or SHIPPED_WEIGHTS)
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)  # better now than after the work is done
    if options.drawings:
        folders = _folders(options.save, options.drawings)
        results = [
            _score_drawings(model, *where) for where in zip(options.drawings, folders, strict=True)
        ]
    else:
        results = [_score_mnist(model, options.data_dir, options.save)]
    if options.save:
        print(f"The figures are in {options.save}.", file=sys.stderr)
    if options.json:
        print(json.dumps(results))
        return 0
    width = max(len(result["set"]) for result in results)
    for result in results:
        print(
            f"{result['set']:{width}}  {result['n']:>6,} digits  top-1 {result['top1']:.2%}  "
            f"top-3 {result['top3']:.2%}  calibration error {result['ece']:.2%}  "
            f"{result['seconds']:.2f} s"
        )
    return 0


def _folders(save: Path | None, files: list[Path]) -> list[Path | None]:
    """Where each file's figures go: one file's into the folder itself, several ones' below it."""
    if save is None or len(files) == 1:
        return [save] * len(files)
    names = [file.stem for file in files]
    return [
        save / (name if names.count(name) == 1 else f"{number}-{name}")
        for number, name in enumerate(names, start=1)
    ]


def _score_mnist(model, data_dir: Path | None, save: Path | None) -> dict:
    from mnist_mlp.data import load_dataset

    data = load_dataset(data_dir)
    print(data.notice, file=sys.stderr)
    return _score(model, f"{data.name} test", lambda: data.test, save)


def _score_drawings(model, path: Path, save: Path | None) -> dict:
    import torch

    from mnist_mlp.data import Digits, read_drawings
    from mnist_mlp.preprocess import images_of_drawings

    labelled = read_drawings(path)
    return _score(
        model,
        str(path),
        lambda: Digits(torch.from_numpy(images_of_drawings(labelled.drawings)), labelled.labels),
        save,
    )


def _score(model, name: str, make_digits, save: Path | None) -> dict:
    from mnist_mlp.evaluate import evaluate

    start = time.perf_counter()
    digits = make_digits()
    evaluation = evaluate(model, digits)
    result = {
        "set": name,
        "n": len(evaluation.labels),
        "top1": evaluation.top_k(1),
        "top3": evaluation.top_k(3),
        "ece": evaluation.calibration_error,
        "seconds": round(time.perf_counter() - start, 3),
    }
    if save:
        _save_evaluation(save, result, evaluation, digits)
    return result


def _save_evaluation(folder: Path, result: dict, evaluation, digits) -> None:
    """The figures as PNG, and evaluation.json: the printed result and what the figures show."""
    from mnist_mlp.model import write_atomically
    from mnist_mlp.plots import confusion_matrix, mistakes, reliability_diagram

    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "confusion_matrix": confusion_matrix(evaluation),
        "mistakes": mistakes(evaluation, digits.images),
        "reliability_diagram": reliability_diagram(evaluation),
    }
    for name, figure in figures.items():
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=120)
        write_atomically(folder / f"{name}.png", picture.getvalue())
    content = json.dumps(result | evaluation.as_dict(), indent=2)
    write_atomically(folder / "evaluation.json", content.encode())


def run_browse(options: argparse.Namespace) -> int:
    from mnist_mlp.ui.launch import launch

    return launch(options, address="?tab=test-set")


def main() -> int:
    options = parse_arguments()
    run = {"predict": run_predict, "evaluate": run_evaluate, "browse": run_browse}[options.command]
    from mnist_mlp.data import DataError
    from mnist_mlp.model import WeightsError

    try:
        return run(options)
    except (WeightsError, DataError) as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USAGE
    except OSError as error:
        print(f"{error.filename}: {error.strerror}." if error.filename else error, file=sys.stderr)
        return EXIT_WRONG_USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
