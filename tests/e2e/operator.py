"""An operator's client: the account is registered as any other, and made an operator in the database."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from taskhub_local.faults.client import Client, Credentials

_PROMOTE = "UPDATE accounts SET role = 'operator' WHERE email = %s"


@asynccontextmanager
async def operator_of(client: Client, database_url: str) -> AsyncIterator[Client]:
    """Yield a client like this one, that may do what operators may."""
    account = Credentials(f"operator-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(18))
    async with client.another(account) as operator:
        await operator.register()
        with psycopg.connect(database_url) as session:
            session.execute(_PROMOTE, [account.email])
        await operator.log_in()
        yield operator
