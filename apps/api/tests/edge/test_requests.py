"""Requests that no client should send: each gets the problem that it is, and none a 500."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

JSON = {"Content-Type": "application/json"}
MEBIBYTE = 1_048_576
SOME_ID = "0190c5a8-6d1e-7000-8000-000000000000"


def _post(user: httpx.Client, content: Any, content_type: str | None = "application/json") -> httpx.Response:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return user.post("/v1/tasks", content=content, headers=headers)


def _assert_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"/problems/{slug}"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"]


def test_a_body_that_says_it_is_too_large_is_refused_unread(user: httpx.Client) -> None:
    answer = _post(user, b'{"title": "' + b"x" * MEBIBYTE + b'"}')
    _assert_problem(answer, 413, "too-large")
    assert answer.headers["Connection"] == "close"


def test_a_body_that_turns_out_to_be_too_large_is_refused(user: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * (MEBIBYTE // 10)

    try:
        answer = _post(user, chunks())
    except httpx.TransportError:  # it closes the connection, and the rest of the body may notice first
        return
    _assert_problem(answer, 413, "too-large")


def test_a_body_of_just_the_limit_is_read(user: httpx.Client) -> None:
    body = b'{"title": "a"}'
    assert _post(user, body + b" " * (MEBIBYTE - len(body))).status_code == 201


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/xml", "multipart/form-data; boundary=x", "x"]
)
def test_another_media_type_is_415(user: httpx.Client, content_type: str | None) -> None:
    _assert_problem(_post(user, b'{"title": "a"}', content_type), 415, "unsupported-media-type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_the_usual_ways_to_say_json_are_taken(user: httpx.Client, content_type: str) -> None:
    assert _post(user, b'{"title": "a"}', content_type).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100_000,
        b'{"title":' * 50_000,
        b'{"title": "\xff\xfe"}',
        '{"title": "a"}'.encode("utf-16"),
        '{"title": "a"}'.encode("utf-32"),
        b'{"title": "a\x00b"}',
        b'{"title": "\\ud800"}',
        b'{"title": "\\udc00\\ud800"}',
        b'{"title": "a", "priority": NaN}',
        b'{"title": "a", "priority": -Infinity}',
        b'{"title": "a", "priority": ' + b"9" * 5_000 + b"}",
        b"\xef\xbb\xbf{",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_json_in_utf8_is_400(user: httpx.Client, body: bytes) -> None:
    _assert_problem(_post(user, body), 400, "bad-request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"a"',
        b"{}",
        b'{"title": 5}',
        b'{"title": ""}',
        b'{"title": "  "}',
        b'{"title": "a\\u0000b"}',
        b'{"title": "a", "notes": "\\\\\\u0000"}',
        b'{"title": "a", "tags": ["a\\u0000"]}',
        b'{"title": "a", "external_id": "\\u0000"}',
        b'{"title": "a", "\\u0000": 1}',
        b'{"title": "a", "unknown": 1}',
        b'{"title": "a", "priority": 5}',
        b'{"title": "a", "priority": 1e400}',
        b'{"title": "a", "priority": 99999999999999999999}',
        b'{"title": "a", "due_at": "2026-01-01T00:00:00"}',
        b'{"title": "a", "due_at": "0001-01-01T00:00:00+14:00"}',
        b'{"title": "a", "due_at": 1e300}',
        b'{"title": "a", "tags": ["has space"]}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_json_that_is_no_task_is_422(user: httpx.Client, body: bytes) -> None:
    answer = _post(user, body)
    _assert_problem(answer, 422, "invalid")
    assert answer.json()["errors"]


def test_nul_is_refused_also_where_no_model_would_mind(user: httpx.Client) -> None:
    body = b'{"email": "someone@example.org", "password": "a long enough\\u0000password"}'
    _assert_problem(user.post("/v1/accounts", content=body, headers=JSON), 422, "invalid")


def test_text_that_only_looks_like_a_nul_is_kept(user: httpx.Client) -> None:
    for text in (r"\u0000", "\\\\u0000", "NaN Infinity", "😀", r"\ud800"):
        answer = _post(user, json.dumps({"title": text}).encode())
        assert (answer.status_code, answer.json()["title"]) == (201, text)
    assert _post(user, b'{"title": "\\ud83d\\ude00"}').json()["title"] == "😀"


@pytest.mark.parametrize(
    "url",
    [
        "/v1/tasks?tag=%00",
        "/v1/tasks?cursor=%00",
        "/v1/tasks?status=%00",
        "/v1/tasks?unknown=a%00b",
        "/v1/tasks/%00",
        "/v1/jobs?kind=%00",
        "/v1/search?q=%00",
        "/v1/events?cursor=%00",
        "/problems/%00",
    ],
)
def test_nul_in_a_url_is_422(user: httpx.Client, url: str) -> None:
    _assert_problem(user.get(url), 422, "invalid")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        f"limit={'9' * 30}",
        f"limit={'9' * 5_000}",
        "priority=99999999999999999999",
        "priority=x",
        "sort=sideways",
        "status=asleep",
        "due_from=yesterday",
        "due_before=2026-01-01T00:00:00",
        "&".join(["tag=a"] * 21),
        f"cursor={'x' * 2_001}",
    ],
    ids=lambda query: query[:24],
)
def test_bad_query_parameters_are_422(user: httpx.Client, query: str) -> None:
    _assert_problem(user.get(f"/v1/tasks?{query}"), 422, "invalid")


def test_unknown_query_parameters_and_broken_encodings_are_ignored(user: httpx.Client) -> None:
    for query in ("unknown=1", "%ff=%fe", "tag=%ff", "&&==&", "tag=%F0%9F%98%80", "tag=%ED%A0%80"):
        assert user.get(f"/v1/tasks?{query}").status_code == 200


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "a\tb"])
def test_a_bad_idempotency_key_is_422(user: httpx.Client, key: str) -> None:
    answer = user.post("/v1/tasks", json={"title": "a"}, headers={"Idempotency-Key": key})
    _assert_problem(answer, 422, "invalid")


def test_an_idempotency_key_outside_ascii_is_422(user: httpx.Client) -> None:
    headers = [(b"Idempotency-Key", "schlüssel".encode())]
    _assert_problem(user.post("/v1/tasks", json={"title": "a"}, headers=headers), 422, "invalid")


@pytest.mark.parametrize("if_match", ['"x"', "3", 'W/"3"', '"3", "4"', '""', f'"{"9" * 30}"', "**"])
def test_an_if_match_that_is_no_etag_of_ours_never_matches(user: httpx.Client, if_match: str) -> None:
    task = user.post("/v1/tasks", json={"title": "a"}).json()
    answer = user.patch(f"/v1/tasks/{task['id']}", json={"title": "b"}, headers={"If-Match": if_match})
    _assert_problem(answer, 412, "version-mismatch")


@pytest.mark.parametrize("task_id", ["x", "123", f"{SOME_ID}0", "é", "..%2f..%2fetc", "%F0%28%8C%28"])
def test_an_id_that_is_none_is_a_problem(user: httpx.Client, task_id: str) -> None:
    for url in (f"/v1/tasks/{task_id}", f"/v1/jobs/{task_id}"):
        assert user.get(url).status_code in {404, 422}


@pytest.mark.parametrize("accepted", ["a.client-id_0123456789", "0" * 64])
def test_a_request_id_that_will_do_is_taken_over(user: httpx.Client, accepted: str) -> None:
    assert user.get("/v1/tasks", headers={"X-Request-Id": accepted}).headers["X-Request-Id"] == accepted


@pytest.mark.parametrize("refused", ["short", "0" * 65, "with space", 'quote"', "a;b;c;d;e"])
def test_a_request_id_that_will_not_do_is_replaced(user: httpx.Client, refused: str) -> None:
    given = user.get("/v1/tasks", headers={"X-Request-Id": refused}).headers["X-Request-Id"]
    assert given != refused
    assert len(given) == 32


def test_head_is_get_without_the_body(user: httpx.Client) -> None:
    task = user.post("/v1/tasks", json={"title": "a"}).json()
    for url in ("/livez", "/v1/tasks", f"/v1/tasks/{task['id']}", "/openapi.json"):
        head, got = user.head(url), user.get(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert user.head(f"/v1/tasks/{SOME_ID}").status_code == 404


def test_options_and_405_name_every_method_of_the_url(user: httpx.Client) -> None:
    answer = user.request("OPTIONS", "/v1/tasks")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    answer = user.put(f"/v1/tasks/{SOME_ID}", json={})
    _assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert user.request("OPTIONS", "/nowhere").status_code == 404
    assert user.request("BREW", "/v1/tasks").status_code in {400, 405}


def test_every_problem_type_has_a_page_of_its_own(user: httpx.Client) -> None:
    problem = user.get("/nowhere").json()
    page = user.get(problem["type"])
    assert page.status_code == 200
    assert page.json()["meaning"]
    _assert_problem(user.get("/problems/unheard-of"), 404, "not-found")


def test_the_token_of_an_account_that_is_gone_is_401_where_it_would_write(client_of: Any, engine: Any) -> None:
    from uuid import uuid4

    stranger = client_of(uuid4())
    _assert_problem(stranger.post("/v1/tasks", json={"title": "a"}), 401, "unauthenticated")
