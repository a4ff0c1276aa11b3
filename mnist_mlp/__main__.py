"""Read pictures of digits, and measure how well a network does: `python -m mnist_mlp`."""

import argparse
import json
import sys
import time
from pathlib import Path

from mnist_mlp import __version__

EXIT_FAILED = 1
EXIT_WRONG_USAGE = 2


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mnist_mlp", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="read the digit in each picture")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a picture")
    predict.add_argument(
        "--top", type=int, default=3, choices=range(1, 11), metavar="K", help="guesses (default: 3)"
    )
    predict.add_argument("--json", action="store_true", help="print one JSON object a picture")

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


def run_predict(options: argparse.Namespace) -> int:
    from mnist_mlp.classify import Classifier
    from mnist_mlp.model import SHIPPED_WEIGHTS

    classifier = Classifier.load(options.weights or SHIPPED_WEIGHTS)
    results = [_predict(classifier, file, options) for file in options.files]
    return EXIT_FAILED if any(result["error"] for result in results) else 0


def _predict(classifier, file: Path, options: argparse.Namespace) -> dict:
    """Read one picture, print what came of it, and return that in the form of `--json`."""
    from mnist_mlp.preprocess import PictureError, open_picture

    result = {"file": str(file), "number": "", "digits": [], "error": None}
    try:
        reading = classifier.read_picture(open_picture(file), top=options.top)
    except PictureError as error:
        result["error"] = str(error)
    else:
        if reading.stages is None:
            result["error"] = "nothing drawn"
        else:
            result["number"] = str(reading.guesses[0].digit)
            result["digits"] = [
                {
                    "box": list(reading.stages.box),
                    "sure": reading.is_sure,
                    "top": [
                        {"digit": guess.digit, "probability": guess.probability}
                        for guess in reading.guesses
                    ],
                }
            ]
    if options.json:
        print(json.dumps(result), flush=True)
    elif result["error"]:
        print(f"{file}: {result['error']}", file=sys.stderr)
    else:
        guesses = (f"{guess.digit} ({guess.probability:.1%})" for guess in reading.guesses)
        doubt = "" if reading.is_sure else "not sure this is a digit; perhaps "
        print(f"{file}: {doubt}{', '.join(guesses)}")
    return result


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
