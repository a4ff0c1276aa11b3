"""What train.py does, as its user runs it: a process of its own."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]


def epochs_of_train_script(data_dir: Path, *options: str) -> list[dict[str, Any]]:
    """Run it, and return what it writes of each epoch into its history."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "train.py", "--data-dir", str(data_dir.resolve())]
        subprocess.run(
            [*command, "--output", folder, *options],
            cwd=REPOSITORY,
            capture_output=True,
            check=True,
        )
        return json.loads((Path(folder) / "history.json").read_text())["epochs"]
