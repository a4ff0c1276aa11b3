"""Read pictures of digits, and measure how well a network does: `python -m mnist_mlp`."""

import argparse
import json
import sys
import time
from pathlib import Path

from mnist_mlp import __version__

EXIT_FAILED = 1
EXIT_WRONG_USAGE = 2
FIGURE_SUFFIXES = (".png", ".jpg", ".pdf", ".svg")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
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

    evaluate = commands.add_parser("evaluate", help="score a network on labelled digits")
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
    if options.drawings:
        results = [_score_drawings(model, path) for path in options.drawings]
    else:
        results = [_score_mnist(model, options.data_dir)]
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


def _score_mnist(model, data_dir: Path | None) -> dict:
    from mnist_mlp.data import load_dataset

    data = load_dataset(data_dir)
    print(data.notice, file=sys.stderr)
    return _score(model, f"{data.name} test", lambda: data.test)


def _score_drawings(model, path: Path) -> dict:
    import torch

    from mnist_mlp.data import Digits, read_drawings
    from mnist_mlp.preprocess import images_of_drawings

    labelled = read_drawings(path)
    return _score(
        model,
        str(path),
        lambda: Digits(torch.from_numpy(images_of_drawings(labelled.drawings)), labelled.labels),
    )


def _score(model, name: str, make_digits) -> dict:
    from mnist_mlp.evaluate import evaluate

    start = time.perf_counter()
    evaluation = evaluate(model, make_digits())
    return {
        "set": name,
        "n": len(evaluation.labels),
        "top1": evaluation.top_k(1),
        "top3": evaluation.top_k(3),
        "ece": evaluation.calibration_error,
        "seconds": round(time.perf_counter() - start, 3),
    }


def main() -> int:
    options = parse_arguments()
    run = {"predict": run_predict, "evaluate": run_evaluate}[options.command]
    from mnist_mlp.data import DataError
    from mnist_mlp.model import WeightsError

    try:
        return run(options)
    except (WeightsError, DataError) as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
