"""Template, style and script of a component, from the files beside its module."""

from pathlib import Path

FOLDER = Path(__file__).parent


def read_file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def component_files(name: str, *shared: str) -> dict[str, str]:
    """Arguments for `gr.HTML`: its template, style and script, from name.html, .css and .js.

    `shared` names the .css and .js files, of which either may be missing, that several components
    have in common.
    """
    return {
        "html_template": read_file(f"{name}.html"),
        "css_template": _joined(("common", *shared, name), ".css"),
        "js_on_load": _joined((*shared, name), ".js"),
    }


def _joined(names: tuple[str, ...], suffix: str) -> str:
    files = [f"{name}{suffix}" for name in names]
    return "".join(read_file(file) for file in files if (FOLDER / file).exists())
