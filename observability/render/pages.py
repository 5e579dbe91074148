"""Writes a drawn dashboard as one PNG and one HTML page that needs nothing beside itself."""

import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from observability.render.asking import Line

_STYLE = """
body { background: #111217; color: #ccccdc; font: 14px/1.5 sans-serif; margin: 0 auto; max-width: 1500px; padding: 1em }
nav a { margin-right: 1em } a { color: #6e9fff } svg { width: 100%; height: auto }
code { color: #9fd9a4; white-space: pre-wrap } dt { margin-top: 1em; font-weight: bold } .empty { color: #d9822b }
"""


def write(
    folder: Path,
    name: str,
    page: Mapping[str, Any],
    figure: Figure,
    data: Mapping[int, Sequence[Line]],
    others: Sequence[str],
) -> None:
    """Writes <name>.png and <name>.html."""
    figure.savefig(folder / f"{name}.png", dpi=80)
    picture = io.StringIO()
    figure.savefig(picture, format="svg")
    _, _, svg = picture.getvalue().partition("<svg")
    links = "".join(f'<a href="{other}.html">{other}</a>' for other in others)
    panels = "".join(_panel(panel, data[panel["id"]]) for panel in page["panels"] if panel["type"] != "row")
    title = html.escape(page["title"])
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<nav>{links}</nav><p>{html.escape(page['description'])}</p><svg{svg}"
        f"<h2>What each panel shows</h2><dl>{panels}</dl></html>\n"
    )
    (folder / f"{name}.html").write_text(text)


def _panel(panel: Mapping[str, Any], lines: Sequence[Line]) -> str:
    queries = "<br>".join(f"<code>{html.escape(target['expr'])}</code>" for target in panel["targets"])
    empty = "" if lines else ' <span class="empty">no data</span>'
    return f"<dt>{html.escape(panel['title'])}{empty}</dt><dd>{html.escape(panel['description'])}<br>{queries}</dd>"
