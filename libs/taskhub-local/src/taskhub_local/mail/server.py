"""The process that takes mail by SMTP and shows it by HTTP: `python -m taskhub_local.mail.server`."""

import argparse
import asyncio
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from taskhub_local.mail.mailbox import Mailbox
from taskhub_local.mail.pages import page_server
from taskhub_local.ports import HOST

_SIZE_LIMIT_BYTES = 32 * 1024 * 1024


class _Keeper:
    """aiosmtpd's handler: stores what arrives."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002 - aiosmtpd's name and arguments
        content = envelope.content
        data = content if isinstance(content, bytes) else str(content or "").encode()
        name = self.mailbox.store(envelope.mail_from or "", [str(to) for to in envelope.rcpt_tos], data)
        return f"250 stored as {name}"


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    serve(Mailbox(arguments.folder), arguments.smtp_port, arguments.http_port)


def protocols(mailbox: Mailbox) -> Callable[[], SMTP]:
    """Return what makes the protocol of each connection, as asyncio's servers want it."""
    keeper = _Keeper(mailbox)
    return lambda: SMTP(keeper, hostname="localhost", data_size_limit=_SIZE_LIMIT_BYTES, enable_SMTPUTF8=True)


def serve(mailbox: Mailbox, smtp_port: int, http_port: int) -> None:
    """Run both servers until SIGTERM or SIGINT."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        smtp = await loop.create_server(protocols(mailbox), HOST, smtp_port)
        pages = page_server(mailbox, HOST, http_port)
        threading.Thread(target=pages.serve_forever, name="pages", daemon=True).start()
        await stopped.wait()
        pages.shutdown()
        smtp.close()

    asyncio.run(run())


if __name__ == "__main__":
    main()
