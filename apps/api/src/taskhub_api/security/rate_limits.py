"""Limits on how often one may log in or register, counted in the cache. Without the cache everybody is let through."""

import asyncio
import enum
import ipaddress
import math
import time
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from taskhub_api.problems import Problem
from taskhub_api.security.keyring import Keyring
from taskhub_api.settings import ApiSettings
from taskhub_core.redis_tls import tls_options
from taskhub_core.telemetry import metrics

log = structlog.get_logger(__name__)

_LEFT_ALONE_SECONDS = 1.0
"""After a failure the cache is not asked for this long, so that logins do not wait for it one by one."""


class Limit(enum.StrEnum):
    """What is limited, by what it is counted by."""

    LOGINS_BY_ADDRESS = "login-address"
    LOGINS_BY_EMAIL = "login-email"
    REGISTRATIONS_BY_ADDRESS = "register-address"


class RateLimits:
    """Counts in sliding windows, shared by every server through the cache."""

    def __init__(self, settings: ApiSettings, keyring: Keyring) -> None:
        self._items: dict[Limit, RateLimitItem] = {
            Limit.LOGINS_BY_ADDRESS: RateLimitItemPerMinute(settings.login_limit_per_minute),
            Limit.LOGINS_BY_EMAIL: RateLimitItemPerHour(settings.login_failures_per_email_per_hour),
            Limit.REGISTRATIONS_BY_ADDRESS: RateLimitItemPerHour(settings.register_limit_per_hour),
        }
        self._keyring = keyring
        self._timeout_seconds = settings.cache_timeout_seconds
        self._away_until = 0.0
        self._away = False
        self._limiter: SlidingWindowCounterRateLimiter | None = None
        self._pool: ConnectionPool | None = None
        if settings.cache_url is not None:
            # Our own timeout ends first; the socket's end what it leaves behind.
            seconds = settings.cache_timeout_seconds * 2
            self._pool = ConnectionPool.from_url(
                str(settings.cache_url),
                socket_timeout=seconds,
                socket_connect_timeout=seconds,
                **tls_options(settings.cache_url, settings),
            )
            options: dict[str, Any] = {"connection_pool": self._pool}  # the library's annotation forgets it
            storage = RedisStorage("async+redis://", implementation="redispy", key_prefix="taskhub-limits", **options)
            self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def close(self) -> None:
        """Closes the connections to the cache."""
        if self._pool is not None:
            await self._pool.disconnect()

    async def admit(self, request: Request, counted: Mapping[Limit, str]) -> None:
        """Counts the request against each limit, and puts what is left of them on its answer.

        The headers are those of draft-ietf-httpapi-ratelimit-headers-10 (RateLimit-Policy and RateLimit).
        Raises Problem rate-limited at the first limit that is used up; those after it are not touched.
        """
        policies, states = [], []
        for limit, who in counted.items():
            standing = await self._count(limit, who)
            if standing is None:
                continue
            allowed, remaining, reset_seconds = standing
            item = self._items[limit]
            policies.append(f'"{limit}";q={item.amount};w={item.get_expiry()}')
            states.append(f'"{limit}";r={remaining};t={reset_seconds}')
            request.scope["state"]["answer_headers"] = {
                "RateLimit-Policy": ", ".join(policies),
                "RateLimit": ", ".join(states),
            }
            if not allowed:
                metrics.RATE_LIMITED.labels(limit=limit).inc()
                raise Problem(
                    "rate-limited",
                    f"At most {item} are allowed. Wait {reset_seconds} s.",
                    {"Retry-After": str(reset_seconds)},
                )

    async def forget(self, limit: Limit, who: str) -> None:
        """Starts the count anew: whoever logs in has shown that the failures before were typing errors."""
        if self._limiter is None or time.monotonic() < self._away_until:
            return
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._limiter.clear(self._items[limit], self._key(who))
        except (RedisError, OSError, TimeoutError) as error:
            self._note_away(error)

    async def _count(self, limit: Limit, who: str) -> tuple[bool, int, int] | None:
        """Whether it is allowed, how many are left, and in how many seconds more are; None without the cache."""
        if self._limiter is None or time.monotonic() < self._away_until:
            metrics.RATE_LIMITER_BYPASSED.inc()
            return None
        item, key = self._items[limit], self._key(who)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                allowed = await self._limiter.hit(item, key)
                stats = await self._limiter.get_window_stats(item, key)
        except (RedisError, OSError, TimeoutError) as error:
            metrics.RATE_LIMITER_BYPASSED.inc()
            self._note_away(error)
            return None
        if self._away:
            self._away = False
            log.info("the rate limiter counts again")
        return allowed, max(0, stats.remaining), max(1, math.ceil(stats.reset_time - time.time()))

    def _note_away(self, error: Exception) -> None:
        self._away_until = time.monotonic() + _LEFT_ALONE_SECONDS
        if not self._away:
            self._away = True
            log.warning("the rate limiter lets everybody through: its cache is away", reason=type(error).__name__)

    def _key(self, who: str) -> str:
        # Addresses of people do not belong in the cache.
        return self._keyring.mac("rate limit", who.encode())[:16].hex()


def client_network(request: Request) -> str:
    """Where the request comes from: the IPv4 address, or the /64 of an IPv6 address, which one client has to itself."""
    if request.client is None:
        return "unknown"
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return request.client.host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
