"""Files over HTTP: what comes back is what went up, and nothing about it can hurt whoever downloads it."""

import hashlib
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

LIMIT = 10 * 1024 * 1024


def upload(client: httpx.Client, content: bytes = b"a,b\n1,2\n", *, name: str = "tasks.csv", **headers: str) -> Any:
    answer = client.post("/v1/files", params={"name": name}, content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_file_comes_back_as_it_was_sent(user):
    content = bytes(range(256)) * 40
    answer = user.post(
        "/v1/files", params={"name": "tasks.bin"}, content=content, headers={"Content-Type": "application/x-thing; v=1"}
    )
    file = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/files/{file['id']}")
    assert (file["name"], file["size"], file["sha256"]) == ("tasks.bin", 10_240, hashlib.sha256(content).hexdigest())
    assert user.get(f"/v1/files/{file['id']}/info").json() == file

    download = user.get(f"/v1/files/{file['id']}")
    assert download.content == content
    assert download.headers["Content-Type"] == "application/x-thing; v=1"
    assert download.headers["Content-Disposition"] == "attachment; filename=\"tasks.bin\"; filename*=UTF-8''tasks.bin"
    assert download.headers["ETag"] == f'"{file["sha256"]}"'


def test_a_file_may_have_ten_mebibytes_and_not_a_byte_more(user):
    largest = user.post("/v1/files", content=b"x" * LIMIT)
    assert (largest.status_code, largest.json()["size"]) == (201, LIMIT)
    assert len(user.get(f"/v1/files/{largest.json()['id']}").content) == LIMIT
    for content in (b"x" * (LIMIT + 1), iter([b"x" * LIMIT, b"x"])):  # declared, and found out while reading
        answer = user.post("/v1/files", content=content)
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_a_file_without_a_type_and_a_name_gets_some(user):
    file = user.post("/v1/files", content=b"").json()
    assert (file["name"], file["content_type"], file["size"]) == ("upload", "application/octet-stream", 0)


def test_a_page_of_somebody_elses_making_is_never_shown_as_ours(user):
    file = upload(user, b"<script>alert(1)</script>", name="x.html", **{"Content-Type": "text/html"})
    headers = user.get(f"/v1/files/{file['id']}").headers
    assert headers["Content-Disposition"].startswith("attachment;")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "plain", "exact"),
    [
        ('a"; filename="evil.exe', "a_ filename_evil.exe", "a%22%3B%20filename%3D%22evil.exe"),
        ("../../etc/passwd", "_.._etc_passwd", "_.._etc_passwd"),
        ("..\\..\\boot.ini", "_.._boot.ini", "_.._boot.ini"),
        ("Übersicht – Juli.csv", "_bersicht _ Juli.csv", "%C3%9Cbersicht%20%E2%80%93%20Juli.csv"),
        ("任务.csv", "_.csv", "%E4%BB%BB%E5%8A%A1.csv"),
        ("100%25.csv", "100_25.csv", "100%2525.csv"),
        ("...", "file", "file"),
        ("🎉", "_", "%F0%9F%8E%89"),
    ],
)
def test_a_hostile_name_stays_a_name(user, name, plain, exact):
    file = upload(user, name=name)
    assert file["name"] == name
    disposition = user.get(f"/v1/files/{file['id']}").headers["Content-Disposition"]
    assert disposition == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"


@pytest.mark.parametrize(
    "name", ["", "a\r\nSet-Cookie: x=1", "a\nb", "a\x00b", "a\x7fb", "invoice\u202efdp.exe", "x" * 201]
)
def test_a_name_that_cannot_be_one_is_refused(user, name):
    answer = user.post("/v1/files", params={"name": name}, content=b"x")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")


@pytest.mark.parametrize("content_type", ["text", "text/", "text/csv; é", "a/b/c", "x" * 300 + "/y"])
def test_a_type_that_is_none_is_refused(user, content_type):
    answer = user.post("/v1/files", content=b"x", headers={"Content-Type": content_type.encode("latin-1")})
    assert answer.status_code == 415


def test_a_file_of_another_account_and_an_expired_one_are_not_found(user, client_of, engine: Engine):
    file = upload(user)
    paths = (f"/v1/files/{file['id']}", f"/v1/files/{file['id']}/info")
    stranger = client_of()
    assert [stranger.get(path).status_code for path in paths] == [404, 404]
    with engine.begin() as connection:
        connection.execute(text("UPDATE files SET expires_at = now() WHERE id = :id"), {"id": file["id"]})
    assert [user.get(path).status_code for path in paths] == [404, 404]
    assert user.get(f"/v1/files/{uuid.uuid4()}").status_code == 404


def test_an_unchanged_file_is_not_sent_again(user):
    file = upload(user)
    path = f"/v1/files/{file['id']}"
    again = user.get(path, headers={"If-None-Match": f'W/"x", "{file["sha256"]}"'})
    assert (again.status_code, again.content) == (304, b"")
    assert user.get(path, headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_repeated_upload_keeps_one_file(user, user_id, engine):
    key = {"Idempotency-Key": "one-file"}
    assert upload(user, **key) == upload(user, **key)
    assert user.post("/v1/files", params={"name": "tasks.csv"}, content=b"other", headers=key).status_code == 422
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM files WHERE account_id = :id"), {"id": user_id})
        assert count.scalar_one() == 1


def test_an_import_is_asked_for_with_the_file(user):
    file = upload(user)
    job = user.post("/v1/jobs", json={"kind": "tasks.import", "args": {"file_id": file["id"], "format": "csv"}})
    assert (job.status_code, job.json()["args"]) == (202, {"file_id": file["id"], "format": "csv"})
