"""Webhook subscriptions over HTTP: what is shown once, what is refused, and what others cannot see."""

import pytest
from sqlalchemy import text

URL = "https://hooks.example.com/in"


def test_the_secret_is_shown_when_the_subscription_is_made_and_never_again(user):
    answer = user.post("/v1/webhooks", json={"url": URL, "event_types": ["task.created"]})
    made = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/webhooks/{made['id']}")
    assert answer.headers["Cache-Control"] == "no-store"
    secret = made.pop("secret")
    assert len(secret) > 40
    assert made["event_types"] == ["task.created"]
    for path in ("/v1/webhooks", f"/v1/webhooks/{made['id']}"):
        assert secret not in user.get(path).text
    assert user.get("/v1/webhooks").json()["items"] == [made]
    assert user.get(f"/v1/webhooks/{made['id']}").json() == made


def test_a_repeated_request_shows_the_same_secret(user):
    first, again = (
        user.post("/v1/webhooks", json={"url": URL}, headers={"Idempotency-Key": "one-hook"}) for _ in range(2)
    )
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert len(user.get("/v1/webhooks").json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "http://[::1]/"}, "url"),
        ({"url": "http://localhost:5432/"}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "ftp://hooks.example.com/"}, "url"),
        ({"url": "https://user:word@hooks.example.com/"}, "url"),
        ({"url": "https://hooks.example.com/\r\nX: y"}, "url"),
        ({"url": "not a url"}, "url"),
        ({"url": "https://" + "x" * 3_000}, "url"),
        ({"url": URL, "event_types": ["task.eaten"]}, "event_types"),
        ({"url": URL, "event_types": None}, "event_types"),
        ({"url": URL, "secret": "mine"}, "secret"),
    ],
)
def test_a_subscription_that_cannot_or_must_not_be_served_is_refused(user, body, field):
    answer = user.post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_private_addresses_are_allowed_where_the_setting_says_so(serve_api, client_of):
    client = client_of(api=serve_api(webhook_allow_private_addresses=True))
    assert client.post("/v1/webhooks", json={"url": "http://127.0.0.1:8080/"}).status_code == 201


def test_a_disabled_subscription_is_enabled_again(user, engine):
    made = user.post("/v1/webhooks", json={"url": URL}).json()
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE webhooks SET disabled_at = now(), failing_since = now() WHERE id = :id"), {"id": made["id"]}
        )
    assert user.get(f"/v1/webhooks/{made['id']}").json()["disabled_at"] is not None
    enabled = user.post(f"/v1/webhooks/{made['id']}/enable")
    assert (enabled.status_code, enabled.json()["disabled_at"], enabled.json()["failing_since"]) == (200, None, None)


def test_a_subscription_can_be_deleted_once(user):
    path = user.post("/v1/webhooks", json={"url": URL}).headers["Location"]
    assert user.delete(path).status_code == 204
    assert user.delete(path).status_code == 404
    assert user.get(path).status_code == 404


def test_another_accounts_subscription_is_not_found(user, client_of):
    path = user.post("/v1/webhooks", json={"url": URL}).headers["Location"]
    stranger = client_of()
    assert stranger.get(path).status_code == 404
    assert stranger.delete(path).status_code == 404
    assert stranger.post(f"{path}/enable").status_code == 404
    assert stranger.get("/v1/webhooks").json()["items"] == []
    assert user.get(path).status_code == 200


def test_an_account_can_have_so_many_and_no_more(user):
    codes = [user.post("/v1/webhooks", json={"url": URL}).status_code for _ in range(21)]
    assert codes == [201] * 20 + [409]
