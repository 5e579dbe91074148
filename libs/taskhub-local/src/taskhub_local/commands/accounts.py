"""Makes the two accounts that a newcomer logs in with: one as any client would, one as an operator."""

import httpx

from taskhub_local.errors import LocalError
from taskhub_local.parts.app import run_once
from taskhub_local.platform.platform import Platform


def ensure_accounts(platform: Platform) -> None:
    """Create the demo account through the API, and the operator by the API's own command, unless they are there.

    Raises LocalError if either cannot be made or cannot log in afterwards.
    """
    secrets = platform.secrets
    with httpx.Client(base_url=platform.api_url, timeout=15) as client:
        if not _logs_in(client, secrets.demo_email, secrets.demo_password):
            account = {"email": secrets.demo_email, "password": secrets.demo_password}
            _expect(client.post("/v1/accounts", json=account), 201, "the demo account was not made")
        if not _logs_in(client, secrets.operator_email, secrets.operator_password):
            command = ("taskhub-api", "create-operator", "--email", secrets.operator_email)
            environment = platform.app_environment()
            run_once("create-operator", command, platform.folders, environment, stdin=f"{secrets.operator_password}\n")


def _logs_in(client: httpx.Client, email: str, password: str) -> bool:
    return client.post("/v1/token", json={"email": email, "password": password}).status_code == httpx.codes.OK


def _expect(answer: httpx.Response, status: int, complaint: str) -> None:
    if answer.status_code != status:
        raise LocalError(f"{complaint}: {answer.status_code} {answer.text.strip()}")
