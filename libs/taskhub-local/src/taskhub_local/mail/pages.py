"""The mails as web pages: a list, one mail, and the list as JSON."""

import json
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from taskhub_local.mail.mailbox import Mail, Mailbox

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #d8dee4}"
    "pre{white-space:pre-wrap;background:#f5f7f9;padding:1rem;border-radius:.4rem}a{color:#0b5cad}"
)


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    content_type: str
    body: str
    status: HTTPStatus = HTTPStatus.OK

    def send(self, handler: BaseHTTPRequestHandler) -> None:
        """Write the whole answer."""
        data = self.body.encode()
        handler.send_response(self.status)
        handler.send_header("Content-Type", f"{self.content_type}; charset=utf-8")
        handler.send_header("Content-Length", str(len(data)))
        # A mail is text from somewhere else: nothing in it may run here.
        handler.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        handler.end_headers()
        handler.wfile.write(data)


def page(mailbox: Mailbox, path: str) -> Page:
    """Return the page at `/` (the list), `/messages` (JSON) or `/messages/NAME` (one mail); elsewhere there is none."""
    if path == "/":
        return Page("text/html", _list_page(mailbox.messages()))
    if path == "/messages":
        return Page("application/json", json.dumps([summary(mail) for mail in mailbox.messages()]))
    if path.startswith("/messages/") and (mail := mailbox.read(path.removeprefix("/messages/"))):
        return Page("text/html", _mail_page(mail))
    return Page("text/plain", "There is no such page. The list of mails is at /\n", HTTPStatus.NOT_FOUND)


def page_server(mailbox: Mailbox, host: str, port: int) -> ThreadingHTTPServer:
    """Return a server for the pages."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page(mailbox, self.path).send(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's names
            """Say nothing: the readiness check would fill the log."""

    return ThreadingHTTPServer((host, port), Handler)


def summary(mail: Mail) -> dict[str, Any]:
    """Return what the lists show of a mail."""
    return {
        "name": mail.name,
        "from": mail.sender,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "message_id": str(mail.message.get("Message-ID", "")),
        "date": str(mail.message.get("Date", "")),
        "text": mail.text,
    }


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _list_page(mails: list[Mail]) -> str:
    if not mails:
        return _document("Mail", "<p>No mail yet. Register an account and its welcome mail appears here.</p>")
    rows = "".join(
        f"<tr><td>{escape(str(mail.message.get('Date', '')))}</td><td>{escape(', '.join(mail.recipients))}</td>"
        f'<td><a href="/messages/{escape(mail.name)}">{escape(mail.subject or "(no subject)")}</a></td></tr>'
        for mail in reversed(mails)
    )
    return _document("Mail", f"<table><tr><th>Date</th><th>To</th><th>Subject</th></tr>{rows}</table>")


def _mail_page(mail: Mail) -> str:
    headers = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in mail.message.items()
        if not name.startswith("X-Envelope")
    )
    body = f'<p><a href="/">All mail</a></p><table>{headers}</table><pre>{escape(mail.text)}</pre>'
    return _document(mail.subject or "(no subject)", body)
