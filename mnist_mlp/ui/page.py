"""The whole page, how its parts act on one another, and how it is served."""

import contextlib
import io
import os
import webbrowser
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from mnist_mlp.ui.assets import read_file
from mnist_mlp.ui.body_limit import BodyLimit
from mnist_mlp.ui.draw_tab import SHIPPED, DrawTab, build_draw_tab
from mnist_mlp.ui.pad import PadValue, Question
from mnist_mlp.ui.preview import distortions_as_html
from mnist_mlp.ui.report import download_route, report_as_json
from mnist_mlp.ui.sessions import Run, Session, Sessions
from mnist_mlp.ui.settings import (
    CUSTOM,
    FIELDS,
    HELP,
    PAGE_PRESETS,
    config_of,
    fields_of,
    fields_of_address,
    label_of,
    preset_of,
)
from mnist_mlp.ui.test_tab import TestTab, build_test_tab
from mnist_mlp.ui.train_tab import TrainTab, build_train_tab

FONTS = ["system-ui", "sans-serif"]
THEME = gr.themes.Default(
    primary_hue="orange", neutral_hue="slate", font=FONTS, font_mono=["ui-monospace", "monospace"]
)
# Answers come in milliseconds: gradio's own clock over them would only blink.
CSS = """
#digit-pad, #picture, #answer, #train-preview, #train-monitor, #train-report, #test-gallery {
  & [data-testid="status-tracker"] { display: none; }
}
/* What is read in the pad's place is laid over it: see picture.css. */
#drawing { position: relative; }
#picture { position: static; }
#train-preview {
  & img { width: 100%; max-width: 480px; border-radius: 6px; image-rendering: pixelated; }
  & figcaption { margin-top: 6px; font-size: 0.82rem; }
}
"""
DRAW = "draw"
TABS = (DRAW, "train", "test-set")  # as a page's address may name them, "?tab=test-set"
# What every event here has in common: it is quick, and our components show their own progress.
QUIETLY: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build_page(sessions: Sessions, notice: str = "") -> gr.Blocks:
    """The page for these visitors; a notice, if any, stands at its top."""
    with gr.Blocks(title="Draw a digit", analytics_enabled=False) as page:
        gr.Markdown("# Draw a digit\nA small neural network reads it while you draw.")
        if notice:
            gr.Markdown(f"⚠️ {notice}", elem_id="notice")
        key = gr.State("")
        with gr.Tabs() as tabs:
            with gr.Tab("Draw", id=DRAW):
                draw = build_draw_tab(sessions)
            with gr.Tab("Train", id="train") as train_tab:
                training = build_train_tab(sessions)
            with gr.Tab("Test set", id="test-set"):
                test_set = build_test_tab(sessions)
        _open_and_close(page, sessions, key, tabs, draw, training, test_set)
        _keep_settings(training)
        _preview_distortions(train_tab, draw, training)
        _train(sessions, key, draw, training, test_set)
        test_set.gallery.sent(lambda: gr.Tabs(selected=DRAW), None, tabs, **QUIETLY)
    return page


def _open_and_close(
    page: gr.Blocks,
    sessions: Sessions,
    key: gr.State,
    tabs: gr.Tabs,
    draw: DrawTab,
    training: TrainTab,
    test_set: TestTab,
) -> None:
    def open_page(request: gr.Request) -> list[Any]:
        session = sessions.open(request.session_hash)
        query = dict(request.query_params)
        values = fields_of_address(query)
        return [
            session.key,
            gr.Tabs(selected=query["tab"]) if query.get("tab") in TABS else gr.skip(),
            _pad_value(session),
            _named_network(session),
            _named_network(session),
            {"session": session.key, "run": None, "label": ""},
            gr.update(interactive=True),
            preset_of(values),
            *values.values(),
        ]

    def close_page(request: gr.Request) -> None:
        sessions.close(request.session_hash)

    fields = list(training.fields.values())
    shown = [tabs, draw.pad, draw.picture, test_set.gallery, training.monitor]
    outputs = [key, *shown, training.start, training.preset, *fields]
    page.load(open_page, None, outputs, **QUIETLY)
    page.unload(close_page)


def _keep_settings(training: TrainTab) -> None:
    """A preset fills the fields, the fields show which preset they are, the address keeps both."""
    fields = list(training.fields.values())

    def show_preset(*values: Any) -> str:
        return preset_of(dict(zip(FIELDS, values, strict=True)))

    def fill_fields(preset: str) -> list[Any]:
        if preset == CUSTOM:
            return [gr.skip()] * len(fields)
        return list(fields_of(PAGE_PRESETS[preset]).values())

    training.preset.input(fill_fields, training.preset, fields, **QUIETLY)
    address = read_file("address.js")
    changes = [field.change for field in fields]
    gr.on(changes, show_preset, fields, training.preset, trigger_mode="always_last", **QUIETLY)
    gr.on(changes, None, fields, None, js=address)


def _preview_distortions(train_tab: gr.Tab, draw: DrawTab, training: TrainTab) -> None:
    """Whoever comes to the Train tab sees the digit that is on the pad, distorted."""

    def preview(question: Question) -> str:
        return distortions_as_html(question.drawing)

    train_tab.select(preview, draw.pad, training.preview, **QUIETLY)


def _train(
    sessions: Sessions, key: gr.State, draw: DrawTab, training: TrainTab, test_set: TestTab
) -> None:
    fields = list(training.fields.values())
    networks = [draw.network, test_set.network]
    readers = [draw.pad, draw.picture, test_set.gallery, *networks]

    def begin(key: str, *values: Any) -> list[Any]:
        """Put a run in line, or say beside each wrong field what is wrong with it."""
        session = sessions.get(key)
        if session is None or session.is_training:
            return [gr.skip()] * (1 + len(fields))
        config, errors = config_of(dict(zip(FIELDS, values, strict=True)))
        infos = [gr.update(info=_help(name, errors)) for name in FIELDS]
        if config is None:
            return [gr.skip(), *infos]
        run = sessions.train(session, config)
        value = {"session": key, "run": run.number, "label": label_of(config)}
        return [value, *infos]

    def stop(key: str) -> None:
        session = sessions.get(key)
        if session and session.is_training:
            sessions.line.stop(session.latest.job)

    def finish(key: str) -> list[Any]:
        """Let the network of the run that is over read the pad from now on."""
        session = sessions.get(key)
        run = session and session.latest
        if not run or not run.is_over or not run.trained:
            return [gr.skip()] * (1 + len(readers))
        session.network = run.number
        return [report_as_json(session, run), *_readers(session)]

    def choose(key: str, network: str) -> list[Any]:
        session = sessions.get(key)
        if session is None:
            return [gr.skip()] * len(readers)
        session.network = None if network == SHIPPED else int(network)
        return _readers(session)

    def forget(key: str) -> list[Any]:
        session = sessions.get(key)
        if session is None:
            return [gr.skip()] * len(networks)
        session.forget_earlier_runs()
        return [_networks(session) for _ in networks]

    training.start.click(begin, [key, *fields], [training.monitor, *fields], **QUIETLY)
    training.stop.click(stop, key, None, **QUIETLY)
    training.monitor.finished(finish, key, [training.report, *readers], **QUIETLY)
    training.monitor.forget(forget, key, networks, **QUIETLY)
    for network in networks:
        network.input(choose, [key, network], readers, **QUIETLY)


def _help(name: str, errors: dict[str, str]) -> str:
    return f"⚠️ {errors[name]}" if name in errors else HELP[name]


def _readers(session: Session) -> list[Any]:
    """Values for the pad, the picture, the gallery and the two choices of a network."""
    named = _named_network(session)
    return [_pad_value(session), named, named, _networks(session), _networks(session)]


def _pad_value(session: Session) -> dict[str, Any]:
    """Names the visitor's network to the pad, which keeps its drawing and asks anew."""
    network = _network(session)
    return PadValue(drawing=[], session=session.key, network=network).model_dump()


def _named_network(session: Session) -> dict[str, Any]:
    return {"session": session.key, "network": _network(session)}


def _network(session: Session) -> str:
    return SHIPPED if session.network is None else str(session.network)


def _networks(session: Session) -> Any:
    """For one radio: gradio takes an update apart while it sends it, so each needs its own."""
    choices = [("The shipped network", SHIPPED)]
    choices += [(_name(run), str(run.number)) for run in session.trained_runs]
    return gr.update(choices=choices, value=_network(session))


def _name(run: Run) -> str:
    return f"Your run {run.number} ({run.trained.report.test_accuracy:.2%})"


def serve(
    page: gr.Blocks,
    sessions: Sessions,
    *,
    host: str,
    port: int,
    address: str,
    share: bool,
    open_browser: bool,
) -> None:
    """Serve the page until Ctrl-C; where no public link can be had, say so and go on without.

    The address, such as "?tab=test-set", is appended to the page's own where that is shown.
    """
    _pass_by_the_proxy_to(host)
    # What gradio prints while it launches is replaced by our own few lines.
    with contextlib.redirect_stdout(io.StringIO()):
        page.launch(
            server_name=host,
            server_port=port,
            share=share,
            theme=THEME,
            css=CSS,
            quiet=True,
            show_error=True,
            ssr_mode=False,
            footer_links=["api", "settings"],
            prevent_thread_lock=True,
            app_kwargs={
                "routes": [download_route(sessions)],
                "middleware": [Middleware(BodyLimit)],
            },
        )
    print(f"The page is at {page.local_url}{address} (Ctrl-C ends it).", flush=True)
    if page.share_url:
        print(f"Public link, good for a week: {page.share_url}{address}", flush=True)
    elif share:
        print("No public link: the share server cannot be reached from here.", flush=True)
    if open_browser:
        webbrowser.open(f"{page.share_url or page.local_url}{address}")
    # Only now, so that the page is there first.
    sessions.line.start()
    try:
        page.block_thread()
    finally:
        sessions.line.close()


def _pass_by_the_proxy_to(host: str) -> None:
    """Gradio asks its own page whether it is up, and a proxy could not tell it."""
    for name in ("no_proxy", "NO_PROXY"):
        hosts = filter(None, (os.environ.get(name), "localhost", "127.0.0.1", host))
        os.environ[name] = ",".join(hosts)
