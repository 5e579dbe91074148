"""The commands of taskhub-api that do one thing and end."""

import getpass
import sys

import orjson
from fastapi import FastAPI
from pydantic import EmailStr, TypeAdapter, ValidationError

from taskhub_api.app import create_app
from taskhub_api.routes.accounts import PASSWORD_CHARS
from taskhub_api.security.passwords import password_hasher
from taskhub_api.settings import ApiSettings
from taskhub_core.accounts import service
from taskhub_core.database import unit_of_work
from taskhub_core.database.engine import make_engine, sqlalchemy_url
from taskhub_core.database.migrate import set_role_defaults, upgrade
from taskhub_core.ids import new_id
from taskhub_core.settings import DatabaseSettings
from taskhub_core.settings_listing import listing


def migrate() -> None:
    """Brings the database to the newest schema; behind a pooler, sets our timeouts as the role's defaults too."""
    settings = DatabaseSettings()
    upgrade(sqlalchemy_url(settings, direct=True))
    if settings.database_pooler == "transaction":
        set_role_defaults(settings)


def create_operator(email: str) -> None:
    """Makes an operator with the password on standard input. An account that exists gets the role and the password.

    Exits with a message when the address or the password will not do.
    """
    try:
        address = TypeAdapter(EmailStr).validate_python(email)
    except ValidationError:
        sys.exit(f"create-operator: {email!r} is not an e-mail address")
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    shortest, longest = PASSWORD_CHARS
    if not shortest <= len(password) <= longest:
        sys.exit(f"create-operator: the password must have {shortest} to {longest} characters; it has {len(password)}")
    settings = ApiSettings()
    password_hash, account_id = password_hasher(settings).hash(password), new_id()
    engine = make_engine(settings, application_name="taskhub-create-operator")
    try:
        account = unit_of_work.run(
            engine,
            lambda connection: service.make_operator(
                connection, account_id=account_id, email=address, password_hash=password_hash
            ),
            repeat_unknown_commit=True,
        )
    finally:
        engine.dispose()
    sys.stdout.write(f"{account.email} is an operator now ({account.id}).\n")


def list_settings() -> None:
    """Writes every setting of the API: name, type, default and meaning."""
    sys.stdout.write(f"{listing(ApiSettings)}\n")


def print_openapi() -> None:
    """Writes the OpenAPI document."""
    document = unserved_app().openapi()
    sys.stdout.write(f"{orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()}\n")


def unserved_app() -> FastAPI:
    """The application, to be looked at. Its routes are the same whatever the settings are, so none need to be set."""
    settings = ApiSettings.model_validate(
        {
            "database_url": "postgresql://127.0.0.1/unused",
            "redis_url": "redis://127.0.0.1/0",
            "jwt_keys": {"unused": "a key that signs nothing, since nothing is served"},
            "jwt_active_kid": "unused",
        }
    )
    return create_app(settings)
