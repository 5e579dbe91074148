"""Schemathesis: requests made from the OpenAPI document, alone and in chains, against the API itself."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection, response_schema_conformance
from sqlalchemy import Engine, text

from taskhub_api.commands import unserved_app
from taskhub_api.security.access_tokens import AccessTokens, Caller
from taskhub_core.accounts.models import Role

PHASES = [Phase.explicit, Phase.generate]
# What a document cannot say: which cursors we gave out, which versions are current, and which texts a service refuses.
REFUSED_THOUGH_VALID = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429", "503"]
CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {"expected-statuses": REFUSED_THOUGH_VALID},
            # A version that is not current, or is not named, is told before a bad body.
            "negative_data_rejection": {
                "expected-statuses": ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "428"]
            },
            "missing_required_header": {"expected-statuses": ["401", "428"]},
        }
    }
)
# Streams do not end before their job does.
SCHEMA = schemathesis.openapi.from_dict(unserved_app().openapi(), config=CONFIG).exclude(path_regex="/progress$")


@SCHEMA.hook
def map_headers(_context: Any, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """Makes valid keys unique: the shortest ones come again and again, with other bodies."""
    for name, value in (headers or {}).items():
        if headers and name.lower() == "idempotency-key" and re.fullmatch(r"[\x21-\x7e]{1,200}", str(value)):
            headers[name] = f"{value}{uuid.uuid4().hex}"
    return headers


@pytest.fixture(scope="module")
def new_caller(api: Any, engine: Engine) -> Callable[[], dict[str, Any]]:
    """Makes an account that may call everything, and says how to call the API as that account."""

    def make() -> dict[str, Any]:
        account_id = uuid.uuid4()
        values = {"id": account_id, "email": f"{account_id}@example.org"}
        insert = "INSERT INTO accounts (id, email, password_hash, role) VALUES (:id, :email, 'none', 'operator')"
        with engine.begin() as connection:
            connection.execute(text(insert), values)
        token = AccessTokens(api.settings).sign(Caller(account_id, Role.OPERATOR))
        return {"base_url": api.url, "headers": {"Authorization": f"Bearer {token}"}}

    return make


@pytest.fixture(scope="module")
def call(new_caller: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """How to call the API, always as the same account."""
    return new_caller()


def _not_for_us(case: Any) -> list[Any]:
    """The checks that do not fit this request.

    Bad bodies must be refused, but unknown query parameters are ignored on purpose, and an empty list cannot be sent in
    a query. A file comes back as it was uploaded, whatever its media type promised.
    """
    body = case.meta and case.meta.components.get(ParameterLocation.BODY)
    found = [] if body and body.mode.is_negative else [negative_data_rejection]
    return found + ([response_schema_conformance] if case.path == "/v1/files/{file_id}" else [])


@SCHEMA.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_single_requests_break_nothing(case: Any, call: dict[str, Any]) -> None:
    case.call_and_validate(**call, excluded_checks=_not_for_us(case))


def test_chains_of_requests_break_nothing(new_caller: Callable[[], dict[str, Any]]) -> None:
    class Chains(SCHEMA.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            """Each chain begins with nothing, so that the same steps do the same again."""
            self.caller = new_caller()

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:  # noqa: ARG002 - the library's signature
            return self.caller

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, excluded_checks=_not_for_us(case), recorder=self.recorder)

    Chains.run(
        settings=settings(
            max_examples=60,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        )
    )
