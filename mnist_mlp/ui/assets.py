"""Template, style and script of a component, from the files beside its module."""

from pathlib import Path

FOLDER = Path(__file__).parent


def read_file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def component_files(name: str) -> dict[str, str]:
    """Arguments for `gr.HTML`: its template, style and script, from name.html, .css and .js."""
    return {
        "html_template": read_file(f"{name}.html"),
        "css_template": read_file("common.css") + read_file(f"{name}.css"),
        "js_on_load": read_file(f"{name}.js"),
    }
