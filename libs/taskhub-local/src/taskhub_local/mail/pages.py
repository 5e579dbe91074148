"""The mails as web pages: a list, one mail, and the list as JSON."""

import json
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


def page_server(mailbox: Mailbox, host: str, port: int) -> ThreadingHTTPServer:
    """Return a server for `/` (the list), `/messages` (JSON) and `/messages/NAME` (one mail)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self._answer(HTTPStatus.OK, "text/html", _list_page(mailbox.messages()))
            elif self.path == "/messages":
                self._answer(HTTPStatus.OK, "application/json", json.dumps([_summary(m) for m in mailbox.messages()]))
            elif self.path.startswith("/messages/") and (mail := mailbox.read(self.path.removeprefix("/messages/"))):
                self._answer(HTTPStatus.OK, "text/html", _mail_page(mail))
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There is no such page. The list of mails is at /\n")

        def _answer(self, status: HTTPStatus, content_type: str, body: str) -> None:
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{content_type}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            # A mail is text from somewhere else: nothing in it may run here.
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's names
            """Say nothing: the readiness check would fill the log."""

    return ThreadingHTTPServer((host, port), Handler)


def _summary(mail: Mail) -> dict[str, Any]:
    return {
        "name": mail.name,
        "from": mail.sender,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "date": str(mail.message.get("Date", "")),
        "text": mail.text,
    }


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _list_page(mails: list[Mail]) -> str:
    if not mails:
        return _page("Mail", "<p>No mail yet. Register an account and its welcome mail appears here.</p>")
    rows = "".join(
        f"<tr><td>{escape(str(mail.message.get('Date', '')))}</td><td>{escape(', '.join(mail.recipients))}</td>"
        f'<td><a href="/messages/{escape(mail.name)}">{escape(mail.subject or "(no subject)")}</a></td></tr>'
        for mail in reversed(mails)
    )
    return _page("Mail", f"<table><tr><th>Date</th><th>To</th><th>Subject</th></tr>{rows}</table>")


def _mail_page(mail: Mail) -> str:
    headers = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in mail.message.items()
        if not name.startswith("X-Envelope")
    )
    body = f'<p><a href="/">All mail</a></p><table>{headers}</table><pre>{escape(mail.text)}</pre>'
    return _page(mail.subject or "(no subject)", body)
