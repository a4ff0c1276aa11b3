"""The whole page, and how it is served."""

import contextlib
import io
import os
import webbrowser

import gradio as gr

from mnist_mlp.classify import Classifier
from mnist_mlp.ui.draw_tab import build_draw_tab

FONTS = ["system-ui", "sans-serif"]
THEME = gr.themes.Default(
    primary_hue="orange", neutral_hue="slate", font=FONTS, font_mono=["ui-monospace", "monospace"]
)

# Answers come in milliseconds: gradio's own clock over them would only blink.
CSS = '#answer [data-testid="status-tracker"] { display: none; }'


def build_page(classifier: Classifier, notice: str = "") -> gr.Blocks:
    """The page on these weights; a notice, if any, stands at its top."""
    with gr.Blocks(title="Draw a digit", analytics_enabled=False) as page:
        gr.Markdown("# Draw a digit\nA small neural network reads it while you draw.")
        if notice:
            gr.Markdown(f"⚠️ {notice}", elem_id="notice")
        with gr.Tabs(), gr.Tab("Draw"):
            build_draw_tab(classifier)
    return page


def serve(page: gr.Blocks, *, host: str, port: int, share: bool, open_browser: bool) -> None:
    """Serve the page until Ctrl-C; where no public link can be had, say so and go on without."""
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
            run_history=False,
            footer_links=["api", "settings"],
            prevent_thread_lock=True,
        )
    print(f"The page is at {page.local_url} (Ctrl-C ends it).", flush=True)
    if page.share_url:
        print(f"Public link, good for a week: {page.share_url}", flush=True)
    elif share:
        print("No public link: the share server cannot be reached from here.", flush=True)
    if open_browser:
        webbrowser.open(page.share_url or page.local_url)
    page.block_thread()


def _pass_by_the_proxy_to(host: str) -> None:
    """Gradio asks its own page whether it is up, and a proxy could not tell it."""
    for name in ("no_proxy", "NO_PROXY"):
        hosts = filter(None, (os.environ.get(name), "localhost", "127.0.0.1", host))
        os.environ[name] = ",".join(hosts)
