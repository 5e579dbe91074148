"""Highlights: engines mark words with characters that no text has, and those become <em> once the text is escaped."""

import html

OPENING, CLOSING = "\ue000", "\ue001"
"""From Unicode's private use area; a text that has them nevertheless only gets an <em> too many."""


def render(fragments: list[str]) -> list[str]:
    """Fragments as safe HTML. Those in which nothing is marked are dropped."""
    return [
        html.escape(fragment).replace(OPENING, "<em>").replace(CLOSING, "</em>")
        for fragment in fragments
        if OPENING in fragment
    ]
