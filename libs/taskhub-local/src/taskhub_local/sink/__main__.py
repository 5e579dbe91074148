"""The program of the image taskhub-sink: `python -m taskhub_local.sink`."""

import argparse
import asyncio
import signal
import threading
from importlib.metadata import version
from pathlib import Path

from taskhub_local.mail.mailbox import Mailbox
from taskhub_local.mail.server import protocols
from taskhub_local.sink.deliveries import Deliveries
from taskhub_local.sink.web import web_server


def main() -> None:
    """Read the arguments and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="taskhub-sink", description="Takes mail and webhooks, and shows them.")
    parser.add_argument("--version", action="version", version=f"taskhub-sink {version('taskhub-local')}")
    parser.add_argument("--host", default="0.0.0.0", help="the address to listen on")  # noqa: S104 - runs in a pod
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--folder", type=Path, required=True, help="keeps what arrived")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.folder, arguments.host, arguments.smtp_port, arguments.http_port))


async def _serve(folder: Path, host: str, smtp_port: int, http_port: int) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    mailbox, deliveries = Mailbox(folder / "mails"), Deliveries(folder / "deliveries.jsonl")
    smtp = await loop.create_server(protocols(mailbox), host, smtp_port)
    web = web_server(mailbox, deliveries, host, http_port)
    threading.Thread(target=web.serve_forever, name="web", daemon=True).start()
    await stopped.wait()
    smtp.close()
    web.shutdown()
    web.server_close()
    deliveries.close()


if __name__ == "__main__":
    main()
