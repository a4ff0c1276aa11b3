"""Template, style and script of a component, from the files beside its module."""

from pathlib import Path

FOLDER = Path(__file__).parent


def component_files(name: str) -> dict[str, str]:
    """Arguments for `gr.HTML`: its template, style and script, from name.html, .css and .js."""
    arguments = {"html_template": "html", "css_template": "css", "js_on_load": "js"}
    return {
        argument: (FOLDER / f"{name}.{suffix}").read_text(encoding="utf-8")
        for argument, suffix in arguments.items()
    }
