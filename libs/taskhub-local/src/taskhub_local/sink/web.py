"""The HTTP side of the sink: takes webhooks, log lines and spans, and shows and clears what arrived.

POST   /hooks/NAME   takes a delivery of TaskHub: 204, or 400 when it is none
GET    /hooks/NAME   {"deliveries": [...]}: what came there, oldest first, repeats included
POST   /v1/logs, /v1/traces   takes what a collector brings (OTLP/HTTP in JSON): 200, or 400 when it is not that
GET    /logs?contains=TEXT    {"lines": [...]}: of the last log lines those with the text in them
GET    /spans?trace_id=HEX    {"spans": [...]}: of the last spans those of the trace
GET    /mails?recipient=ADDRESS   {"mails": [...]}: the mails to an address, oldest first, repeats included
GET    /, /messages, /messages/NAME   the mails for people, as `taskhub up` shows them
DELETE /mails, DELETE /hooks   forget all mails, all deliveries
GET    /livez        200
"""

import json
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from taskhub_local.mail.mailbox import Mailbox
from taskhub_local.mail.pages import Page, page, summary
from taskhub_local.sink.deliveries import Deliveries, Delivery
from taskhub_local.sink.telemetry import Telemetry

_HOOKS = "/hooks/"
_TELEMETRY = frozenset({"/v1/logs", "/v1/traces"})
_BODY_LIMIT_BYTES = 1_048_576
_IDLE_SECONDS = 30


class _Server(ThreadingHTTPServer):
    # Many deliveries arrive at once, each on a connection of its own; the default backlog of 5 turns some away.
    request_queue_size = 256


def web_server(mailbox: Mailbox, deliveries: Deliveries, host: str, port: int) -> ThreadingHTTPServer:
    """Return the server; port 0 takes a free one. Log lines and spans are in its memory only."""

    class Handler(_Handler):
        mails = mailbox
        taken = deliveries
        seen = Telemetry()

    return _Server((host, port), Handler)


class _Handler(BaseHTTPRequestHandler):
    mails: Mailbox
    taken: Deliveries
    seen: Telemetry
    timeout = _IDLE_SECONDS
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/livez":
            answer = Page("text/plain", "ok\n")
        elif url.path.startswith(_HOOKS):
            found = self.taken.of(unquote(url.path.removeprefix(_HOOKS)))
            answer = _json({"deliveries": [asdict(delivery) for delivery in found]})
        elif url.path == "/mails":
            recipient = _wanted(url.query, "recipient")
            answer = _json({"mails": [summary(mail) for mail in self.mails.messages() if recipient in mail.recipients]})
        elif url.path == "/logs":
            answer = _json({"lines": self.seen.lines(_wanted(url.query, "contains"))})
        elif url.path == "/spans":
            answer = _json({"spans": [asdict(span) for span in self.seen.spans(_wanted(url.query, "trace_id"))]})
        else:
            answer = page(self.mails, url.path)
        answer.send(self)

    def do_POST(self) -> None:
        body = self._body()
        if body is not None and self.path in _TELEMETRY:
            self._take_telemetry(body)
            return
        hook = unquote(urlsplit(self.path).path.removeprefix(_HOOKS))
        if body is None or not self.path.startswith(_HOOKS) or not hook:
            Page("text/plain", "POST a delivery to /hooks/NAME\n", HTTPStatus.BAD_REQUEST).send(self)
            return
        identity, signature = self.headers["TaskHub-Delivery"], self.headers["TaskHub-Signature"]
        try:
            self.taken.add(Delivery.read(hook, identity, signature, body))
        except ValueError as error:
            Page("text/plain", f"{error}\n", HTTPStatus.BAD_REQUEST).send(self)
            return
        self._nothing()

    def _take_telemetry(self, body: bytes) -> None:
        add = self.seen.add_logs if self.path == "/v1/logs" else self.seen.add_traces
        try:
            add(body)
        except ValueError as error:
            Page("text/plain", f"{error}\n", HTTPStatus.BAD_REQUEST).send(self)
            return
        _json({}).send(self)

    def do_DELETE(self) -> None:
        if self.path == "/mails":
            self.mails.clear()
        elif self.path == "/hooks":
            self.taken.clear()
        else:
            Page("text/plain", "DELETE /mails or /hooks\n", HTTPStatus.NOT_FOUND).send(self)
            return
        self._nothing()

    def _body(self) -> bytes | None:
        length = self.headers["Content-Length"] or ""
        if not length.isdecimal() or int(length) > _BODY_LIMIT_BYTES:
            self.close_connection = True  # what follows on it is not a request
            return None
        return self.rfile.read(int(length))

    def _nothing(self) -> None:
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's names
        """Say nothing: what arrived is the log."""


def _wanted(query: str, name: str) -> str:
    return parse_qs(query).get(name, [""])[0]


def _json(content: Any) -> Page:
    return Page("application/json", json.dumps(content))
