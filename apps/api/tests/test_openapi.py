"""The OpenAPI document: valid, complete, and with examples that keep to their own schemas."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

METHODS = {"get", "post", "put", "patch", "delete"}
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def document(api: Any) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{api.url}/openapi.json", timeout=20).json()
    return found


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield f"{method.upper()} {path}", item[method]


def _v1(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, operation) for name, operation in _operations(document) if " /v1/" in name)


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_has_its_own_id_a_summary_a_description_and_a_tag(document: dict[str, Any]) -> None:
    lacking = [
        (name, field)
        for name, operation in _v1(document)
        for field in ("operationId", "summary", "description", "tags")
        if not operation.get(field)
    ]
    assert lacking == []
    ids = [operation["operationId"] for _, operation in _operations(document)]
    assert len(ids) == len(set(ids))
    assert all(len(operation["summary"]) <= 60 for _, operation in _v1(document))


def test_every_operation_names_its_problems(document: dict[str, Any]) -> None:
    wrong = [
        (name, status)
        for name, operation in _v1(document)
        for status, response in operation["responses"].items()
        if status >= "400" and list(response.get("content", {})) != [PROBLEM]
    ]
    assert wrong == []
    for name, operation in _v1(document):
        expected = {"422", "503"} | ({"401"} if operation.get("security") else set())
        assert expected <= operation["responses"].keys(), name
        if operation.get("requestBody"):
            assert {"400", "413"} <= operation["responses"].keys(), name


def test_every_success_with_a_body_says_what_it_is(document: dict[str, Any]) -> None:
    for name, operation in _v1(document):
        for status, response in operation["responses"].items():
            if status.startswith("2") and status != "204":
                (media,) = response["content"].values()
                assert media.get("schema") or media.get("example"), (name, status)


def test_every_parameter_is_described_or_says_it_by_its_name(document: dict[str, Any]) -> None:
    plain = {"sort", "limit", "task_id", "job_id", "file_id", "webhook_id"}
    lacking = [
        (name, parameter["name"])
        for name, operation in _v1(document)
        for parameter in operation.get("parameters", [])
        if parameter["name"] not in plain and not parameter.get("description")
    ]
    assert lacking == []


def test_every_json_body_has_an_example(document: dict[str, Any]) -> None:
    def has_example(schema: dict[str, Any]) -> bool:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        inner = [*schema.get("anyOf", []), *schema.get("allOf", []), *schema.get("properties", {}).values()]
        return bool(schema.get("examples")) or any(has_example(each) for each in inner)

    lacking = [
        name
        for name, operation in _v1(document)
        for media_type, media in operation.get("requestBody", {}).get("content", {}).items()
        if media_type == "application/json" and not (media.get("example") or has_example(media["schema"]))
    ]
    assert not lacking, " ".join(lacking)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_for_people_are_there(api: Any, path: str) -> None:
    answer = httpx.get(f"{api.url}{path}", timeout=20)
    assert answer.status_code == 200
    assert "/openapi.json" in answer.text
