"""Signatures: fixed vectors, so that receivers in any language can be written against them, and what is refused."""

import hashlib
import hmac

import pytest

from taskhub_core.webhooks.signature import BadSignature, sign, verify

SECRET = "whsec_c2VjcmV0"
BODY = '{"type":"task.created","summary":"Created “Tea”"}'.encode()
AT = 1_767_225_600


def test_vector() -> None:
    # printf '1767225600.%s' "$BODY" | openssl dgst -sha256 -hmac whsec_c2VjcmV0
    header = "t=1767225600,v1=b4ee7babeb6d4f3c3aadff77a136395acdbb58e373efa7dc95a8ac4e4d6402cf"
    assert sign(SECRET, BODY, at=AT) == header
    verify(SECRET, BODY, header, now=AT)


def test_signature_covers_time_dot_body() -> None:
    expected = hmac.new(SECRET.encode(), f"{AT}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert sign(SECRET, BODY, at=AT) == f"t={AT},v1={expected}"


@pytest.mark.parametrize("offset", [-300, 0, 299.5, 300])
def test_a_delivery_within_the_tolerance_is_accepted(offset: float) -> None:
    verify(SECRET, BODY, sign(SECRET, BODY, at=AT), now=AT + offset)


@pytest.mark.parametrize("offset", [-301, 301, 86_400])
def test_an_old_delivery_cannot_be_replayed(offset: float) -> None:
    with pytest.raises(BadSignature, match="too long ago"):
        verify(SECRET, BODY, sign(SECRET, BODY, at=AT), now=AT + offset)


def test_one_good_signature_of_several_is_enough() -> None:
    good = sign(SECRET, BODY, at=AT)
    verify(SECRET, BODY, f"{good.replace('v1=', 'v1=0')},{good.partition(',')[2]}", now=AT)


@pytest.mark.parametrize(
    ("secret", "body", "header"),
    [
        ("whsec_other", BODY, sign(SECRET, BODY, at=AT)),
        (SECRET, BODY + b" ", sign(SECRET, BODY, at=AT)),
        (SECRET, BODY, sign(SECRET, BODY, at=AT).replace(str(AT), str(AT + 1))),
        (SECRET, BODY, ""),
        (SECRET, BODY, f"t={AT}"),
        (SECRET, BODY, f"t={AT},v1="),
        (SECRET, BODY, f"t={AT},v1=ü\udcff"),
        (SECRET, BODY, sign(SECRET, BODY, at=AT).replace("v1", "v0")),
        (SECRET, BODY, sign(SECRET, BODY, at=AT).replace("t=", "t=-")),
        (SECRET, BODY, sign(SECRET, BODY, at=AT) + f",t={AT}"),
        (SECRET, BODY, "t=" + "9" * 5_000 + ",v1=00"),
        (SECRET, BODY, "t=²,v1=00"),
    ],
)
def test_anything_else_is_refused(secret: str, body: bytes, header: str) -> None:
    with pytest.raises(BadSignature):
        verify(secret, body, header, now=AT)
