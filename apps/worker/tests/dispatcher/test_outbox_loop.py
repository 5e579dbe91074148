"""Events leave the outbox when SQS has them, and not before."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import Engine, text

from taskhub_core.ids import new_id
from taskhub_local.parts.sqs import SqsPart
from taskhub_local.ports import any_free
from taskhub_worker.dispatcher.loop import DependencyAway
from taskhub_worker.dispatcher.outbox_loop import OutboxLoop
from taskhub_worker.dispatcher.settings import DispatcherSettings
from taskhub_worker.dispatcher.sqs import BYTES_A_REQUEST, EventQueue


def _add(engine: Engine, count: int, *, padding: int = 0) -> list[uuid.UUID]:
    ids = [new_id() for _ in range(count)]
    with engine.begin() as connection:
        for number, event_id in enumerate(ids):
            message = json.dumps({"event_id": str(event_id), "number": number, "padding": "x" * padding})
            connection.execute(
                text("INSERT INTO outbox (id, message) VALUES (:id, CAST(:message AS jsonb))"),
                {"id": event_id, "message": message},
            )
    return ids


def _left(engine: Engine) -> set[uuid.UUID]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT id FROM outbox")).scalars())


def _received(sqs: SqsPart, queue: str) -> list[str]:
    client = sqs.client()
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    ids: list[str] = []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        ids += [json.loads(message["Body"])["event_id"] for message in messages]
    client.close()
    return ids


def _loop(settings: DispatcherSettings, engine: Engine) -> OutboxLoop:
    return OutboxLoop(settings, engine, EventQueue(settings, settings.sqs_queue_name, connections=4))


def test_every_event_is_sent_once_and_struck_off(
    engine: Engine, loop_engine: Engine, settings: DispatcherSettings, sqs_server: SqsPart
) -> None:
    ids = _add(engine, 25)
    loop = _loop(settings, loop_engine)
    loop.turn()
    loop.close()
    assert _left(engine) == set()
    assert sorted(_received(sqs_server, settings.sqs_queue_name)) == sorted(map(str, ids))


def test_a_request_stays_within_the_size_that_sqs_takes(
    engine: Engine, loop_engine: Engine, settings: DispatcherSettings, sqs_server: SqsPart
) -> None:
    ids = _add(engine, 10, padding=BYTES_A_REQUEST // 4)
    loop = _loop(settings, loop_engine)
    loop.turn()
    loop.close()
    assert sorted(_received(sqs_server, settings.sqs_queue_name)) == sorted(map(str, ids))


def test_an_event_that_is_too_large_stays_and_does_not_block_the_others(
    engine: Engine, loop_engine: Engine, settings: DispatcherSettings, sqs_server: SqsPart
) -> None:
    too_large = _add(engine, 2, padding=BYTES_A_REQUEST)
    small = _add(engine, 3)
    loop = _loop(settings.model_copy(update={"outbox_batch_size": 2}), loop_engine)
    for _ in range(4):
        loop.turn()
    loop.close()
    assert _left(engine) == set(too_large)
    assert sorted(_received(sqs_server, settings.sqs_queue_name)) == sorted(map(str, small))


def test_an_entry_that_sqs_refuses_stays_and_is_sent_later(
    engine: Engine, loop_engine: Engine, settings: DispatcherSettings, sqs_server: SqsPart
) -> None:
    ids = _add(engine, 10)
    with _refusing_proxy(sqs_server.url, refused={"3", "7"}) as url:
        loop = _loop(settings.model_copy(update={"sqs_endpoint_url": url}), loop_engine)
        loop.turn()
        assert _left(engine) == {ids[3], ids[7]}
    loop = _loop(settings, loop_engine)
    loop.turn()
    loop.close()
    assert _left(engine) == set()
    assert sorted(_received(sqs_server, settings.sqs_queue_name)) == sorted(map(str, ids))


def test_nothing_is_lost_while_sqs_is_away(
    engine: Engine, loop_engine: Engine, settings: DispatcherSettings, sqs_server: SqsPart
) -> None:
    ids = _add(engine, 10)
    away = _loop(settings.model_copy(update={"sqs_endpoint_url": f"http://127.0.0.1:{any_free()}"}), loop_engine)
    for _ in range(3):
        with pytest.raises(DependencyAway):
            away.turn()
    assert _left(engine) == set(ids)
    loop = _loop(settings, loop_engine)
    loop.turn()
    loop.close()
    assert sorted(_received(sqs_server, settings.sqs_queue_name)) == sorted(map(str, ids))


def test_two_dispatchers_send_nothing_twice(
    engine: Engine, loop_engine: Engine, settings: DispatcherSettings, sqs_server: SqsPart
) -> None:
    ids = _add(engine, 120)
    small = settings.model_copy(update={"outbox_batch_size": 20})
    loops = [_loop(small, loop_engine), _loop(small, engine)]
    threads = [Thread(target=lambda loop=loop: [loop.turn() for _ in range(6)]) for loop in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert _left(engine) == set()
    assert sorted(_received(sqs_server, settings.sqs_queue_name)) == sorted(map(str, ids))


@contextmanager
def _refusing_proxy(target: str, *, refused: set[str]) -> Iterator[str]:
    """Hands requests on to the real SQS, except for some entries, which it answers for as SQS does when it refuses."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            failed = []
            if self.headers["X-Amz-Target"].endswith("SendMessageBatch"):
                request = json.loads(body)
                failed = [entry["Id"] for entry in request["Entries"] if entry["Id"] in refused]
                request["Entries"] = [entry for entry in request["Entries"] if entry["Id"] not in refused]
                body = json.dumps(request).encode()
            headers = {name: value for name, value in self.headers.items() if name != "Content-Length"}
            with urlopen(Request(target, data=body, headers=headers), timeout=10) as answer:
                content = json.loads(answer.read())
            if failed:
                content["Failed"] = [{"Id": one, "Code": "InternalError", "SenderFault": False} for one in failed]
            encoded = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
