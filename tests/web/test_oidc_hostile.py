"""Signing in where something is wrong: tokens, providers and answers of every odd kind let nobody in and are told."""

import base64
import hmac
import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from headway.web import access, passes, provider
from openid_world import CLIENT, KEYS, OpenId, World, bare, encoded, key_of, shared, up, world
from web_world import TOKENS

__all__ = ["bare", "shared", "up", "world"]


# --- ID tokens that are none -----------------------------------------------------------------------------------

Signs = Callable[[OpenId, dict[str, Any]], str]


def _unsigned(openid: OpenId, claims: dict[str, Any]) -> str:
    head = encoded(json.dumps({"alg": "none"}).encode())
    return f"{head}.{encoded(json.dumps(claims).encode())}."


def _by_hand(head: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """What no library makes."""
    said = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    return f"{said}.{encoded(sign(said.encode()))}"


def _by_the_public_key(openid: OpenId, claims: dict[str, Any]) -> str:
    secret = openid.keys[-1].as_pem(private=False)
    return _by_hand({"alg": "HS256", "kid": "RS256"}, claims, lambda said: hmac.digest(secret, said, "sha256"))


def _with_head(openid: OpenId, claims: dict[str, Any], **more: Any) -> str:
    key = openid.keys[-1]
    assert isinstance(key, RSAKey)
    private = key.private_key
    assert private is not None
    return _by_hand({"alg": "RS256", **more}, claims, lambda said: private.sign(said, PKCS1v15(), SHA256()))


def _by_the_secret(openid: OpenId, claims: dict[str, Any]) -> str:
    secret = OctKey.import_key(b"s" * 32)
    return jws.serialize_compact({"alg": "HS256"}, json.dumps(claims), secret, algorithms=["HS256"])


def _by_a_stranger(openid: OpenId, claims: dict[str, Any]) -> str:
    key = key_of("RS256", "RS256")
    return jws.serialize_compact({"alg": "RS256", "kid": "RS256"}, json.dumps(claims), key)


def _by_its_own_key(openid: OpenId, claims: dict[str, Any]) -> str:
    key = key_of("RS256", "own")
    head = {"alg": "RS256", "jwk": key.as_dict(private=False)}
    return jws.serialize_compact(head, json.dumps(claims), key)


def _changed(openid: OpenId, claims: dict[str, Any]) -> str:
    head, _, signature = openid.signed(claims).split(".")
    return f"{head}.{encoded(json.dumps({**claims, 'groups': ['ml-admins']}).encode())}.{signature}"


SIGNS: dict[str, Signs] = {
    "unsigned": _unsigned,
    "unsigned, with the head of a signed one": lambda openid, claims: openid.signed(claims).rpartition(".")[0] + ".",
    "by the public key as a secret": _by_the_public_key,
    "by the client's secret": _by_the_secret,
    "by a stranger under a known name": _by_a_stranger,
    "by the key that it brings": _by_its_own_key,
    "changed after it was signed": _changed,
    "by a key of another name": lambda openid, claims: openid.signed(claims, kid="gone"),
    "with what must be understood and is not": lambda openid, claims: openid.signed(
        claims, crit=["b64"], b64=True, typ="x"
    ),
    "no token": lambda openid, claims: "no-token-at-all",
    "five parts": lambda openid, claims: openid.signed(claims) + ".a.b",
    "no JSON": lambda openid, claims: "%%%.e30.e30",
}


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(up: World, sign: Signs) -> None:
    up.openid.sign = lambda claims: sign(up.openid, claims)
    window = up.window()
    status, _, text = window.sign_in()
    assert status == 403
    assert "is signed by none of its keys" in text or "is not signed as it must be" in text
    assert up.who(window) is None


ALTERED: dict[str, tuple[dict[str, Any], str]] = {
    "issuer": ({"iss": "https://evil.example"}, "it is of another issuer"),
    "issuer with a slash": ({"iss": "/"}, "it is of another issuer"),
    "audience": ({"aud": "another"}, "it is for another client"),
    "audiences": ({"aud": ["another"]}, "it is for another client"),
    "no audience": ({"aud": None}, "it is for another client"),
    "several audiences": ({"aud": [CLIENT, "another"]}, "for several clients"),
    "another party": ({"aud": [CLIENT, "another"], "azp": "another"}, "for several clients"),
    "another party alone": ({"azp": "another"}, "for several clients"),
    "over": ({"exp": -61}, "it is over"),
    "no end": ({"exp": None}, "until when it holds"),
    "an end that is none": ({"exp": "tomorrow"}, "until when it holds"),
    "an end that is true": ({"exp": True}, "until when it holds"),
    "no beginning": ({"iat": None}, "until when it holds"),
    "from the future": ({"iat": +61}, "from the future"),
    "not yet": ({"nbf": +61}, "from the future"),
    "nonce": ({"nonce": "another"}, "of another sign-in"),
    "no nonce": ({"nonce": None}, "of another sign-in"),
    "of nobody": ({"sub": ""}, "of whom it is"),
}


def altered(up: World, claims: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """The claims as they are changed: seconds count from now, and None takes one away."""
    found = {
        name: up.now[0] + value if type(value) is int and name in ("exp", "iat", "nbf") else value
        for name, value in {**claims, **changed}.items()
        if name in changed
    }
    return {name: value for name, value in {**claims, **found}.items() if value is not None}


@pytest.mark.parametrize(("changed", "why"), ALTERED.values(), ids=ALTERED)
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(up: World, changed: dict[str, Any], why: str) -> None:
    up.openid.alter = lambda claims: altered(up, claims, changed)
    window = up.window()
    status, _, text = window.sign_in()
    assert (status, why in text) == (403, True)
    assert up.who(window) is None


@pytest.mark.parametrize(
    "changed",
    [{"aud": [CLIENT]}, {"aud": [CLIENT, "b"], "azp": CLIENT}, {"exp": -59}, {"iat": +59}],
    ids=["list", "several with party", "clocks behind", "clocks ahead"],
)
def test_what_the_rules_allow_is_allowed(up: World, changed: dict[str, Any]) -> None:
    up.openid.alter = lambda claims: altered(up, claims, changed)
    assert up.window().sign_in()[0] == 303


def test_a_token_may_bring_certificates(up: World) -> None:
    up.openid.sign = lambda claims: _with_head(up.openid, claims, x5c=["A" * 3000], own=1)
    assert up.window().sign_in()[0] == 303


def test_new_keys_are_asked_for_and_not_too_often(up: World) -> None:
    def n_asked() -> int:
        return up.openid.asked.count("/jwks")

    assert up.window().sign_in()[0] == 303
    up.openid.keys = [key_of("RS256", "next")]
    status, _, text = up.window().sign_in()
    assert (status, n_asked()) == (403, 1)
    assert "if its keys are new, in 30 s" in text
    up.now[0] += provider.KEYS_PAUSE_S
    assert up.window().sign_in()[0] == 303
    assert n_asked() == 2
    # A key that was taken back is believed no longer, though its tokens name it.
    gone, up.openid.keys = up.openid.keys, [key_of("RS256", "newest")]
    up.openid.sign = lambda claims: jws.serialize_compact({"alg": "RS256", "kid": "next"}, json.dumps(claims), gone[0])
    up.now[0] += provider.KEPT_S + 1
    assert up.window().sign_in()[0] == 403


def test_a_token_that_names_no_key_is_tried_with_all(up: World) -> None:
    up.openid.keys = [key_of("RS256", "one"), KEYS["ES256"], KEYS["RS256"]]
    up.openid.sign = lambda claims: up.openid.signed(claims, kid=None)
    assert up.window().sign_in()[0] == 303


# --- providers that do not answer as they should ---------------------------------------------------------------

PLACES = ["/.well-known/openid-configuration", "/token", "/jwks", "/me"]

ODD: dict[str, tuple[int, dict[str, str], bytes]] = {
    "fault": (500, {}, b"oops"),
    "elsewhere": (302, {"location": "http://127.0.0.1:1/"}, b""),
    "not JSON": (200, {}, b"<html>"),
    "other JSON": (200, {}, b"[1]"),
    "huge": (200, {}, b'{"keys": [' + b" " * (600 << 10) + b"]}"),
    "cut off": (200, {"content-length": "1000", "connection": "close"}, b"{}"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("place", PLACES)
def test_a_provider_that_answers_oddly_is_told_and_tokens_still_work(
    up: World, place: str, odd: tuple[int, dict[str, str], bytes]
) -> None:
    up.openid.claims = {}
    up.openid.answer = lambda path: odd if path == place else None
    window = up.window()
    status, text = 303, ""
    if place == PLACES[0]:
        status, _, text = window.ask("/sign-in")
    else:
        status, _, text = window.sign_in()
    # A refusal of codes is one where the provider says that it is.
    is_refused = place == "/token" and odd[0] == 302
    assert status == (403 if is_refused else 503)
    if not is_refused:
        assert "does not answer as it should" in text
        assert "try again in a minute, or use a token" in text
    assert up.told
    assert up.who(window) is None
    assert window.ask("/enter", "POST", urlencode({"token": TOKENS["viewer"]}))[0] == 303
    assert up.who(window) == ("viewer-1", "viewer")


def test_a_provider_that_is_gone_is_told(world: World) -> None:
    world.openid.close()
    with world.running():
        status, _, text = world.window().ask("/sign-in")
    assert (status, "does not answer as it should" in text) == (503, True)
    assert "Connection refused" in world.told[0]
    assert "Connection refused" not in text


def test_a_provider_that_is_slow_keeps_nobody_else_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "PATIENCE_S", 1.0)
    monkeypatch.setattr(provider, "SILENCE_S", 60.0)
    held, go_on = threading.Semaphore(0), threading.Event()

    def answer(path: str) -> None:
        held.release()
        go_on.wait(60)

    world.openid.answer = answer
    found: list[int] = []
    with world.running() as visitor:
        asking = [
            threading.Thread(target=lambda: found.append(world.window().ask("/sign-in")[0]))
            for _ in range(3 * provider.AT_ONCE)
        ]
        for one in asking:
            one.start()
        assert held.acquire(timeout=30)
        assert visitor.ask("/runs", Authorization=f"Bearer {TOKENS['viewer']}")[0].status == 200
        for one in asking:
            one.join(30)
        assert found == [503] * len(asking)
        # Whoever hangs there ends by themselves, and then there is room again.
        go_on.set()
        world.openid.answer = lambda path: None
        monkeypatch.setattr(provider, "PATIENCE_S", 30.0)
        world.now[0] += provider.PAUSE_S
        assert world.window().sign_in()[0] == 303


def test_a_provider_that_is_silent_is_left_alone_for_a_moment_and_told_of_once(up: World) -> None:
    up.openid.answer = lambda path: (503, {}, b"")
    for _ in range(5):
        assert up.window().ask("/sign-in")[0] == 503
    assert len(up.openid.asked) == 1
    assert [line.count(": 503;") + line.count(": 503)") for line in up.told] == [1, 0]
    up.openid.answer = lambda path: None
    assert up.window().ask("/sign-in")[0] == 503
    up.now[0] += provider.PAUSE_S
    assert up.window().sign_in()[0] == 303


def test_who_begins_again_goes_on_to_the_same_page(up: World) -> None:
    up.openid.claims["groups"] = []
    text = up.window().sign_in("/sign-in?next=/runs/1")[2]
    assert 'href="/sign-in?next=%2Fruns%2F1"' in text
    assert 'action="/enter?next=%2Fruns%2F1"' in text


@pytest.mark.parametrize(
    "more",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example.com/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "//evil.example"},
        {"userinfo_endpoint": "http://127.0.0.1@evil.example/"},
    ],
    ids=["another issuer", "no TLS", "a file", "a script", "no scheme", "a user"],
)
def test_what_a_provider_says_of_itself_is_looked_at(up: World, more: dict[str, str]) -> None:
    up.openid.about_more = more
    status, there, _ = up.window().ask("/sign-in")
    assert status in (403, 503)
    assert there == ""


# --- answers that are none -------------------------------------------------------------------------------------


def test_an_answer_counts_once_and_in_the_browser_that_began(up: World) -> None:
    window, other = up.window(), up.window()
    back = window.go()
    kept = dict(window.cookies)
    status, _, text = other.ask(back)
    assert (status, "did not begin in this browser" in text) == (401, True)
    # A browser that began another sign-in is another, too, and what begins alike is not the same.
    other.go()
    assert other.ask(back)[0] == 401
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert window.ask(back.replace(state, f"{state[:8]}{'0' * 24}"))[0] == 401
    assert window.ask(back)[0] == 303
    # Also with the cookie that was there before.
    window.cookies = kept
    assert window.ask(back)[0] == 401
    assert up.who(window) is up.who(other) is None


def test_an_answer_that_comes_late_is_none(up: World) -> None:
    window = up.window()
    back = window.go()
    up.now[0] += passes.SIGN_IN_S + 1
    assert window.ask(back)[0] == 401


def test_a_session_is_no_sign_in_and_a_sign_in_no_session(up: World) -> None:
    window = up.window()
    back = window.go()
    ((name, sealed),) = window.cookies.items()
    window.cookies = {name.partition("-in-")[0]: sealed}
    assert up.who(window) is None
    window.cookies = {}
    window.sign_in()
    window.cookies = {name: next(iter(window.cookies.values()))}
    assert window.ask(back)[0] == 401


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"error": "access_denied"}, "did not let you in (access_denied)"),
        ({"error": "x<b>", "error_description": "<script>alert(1)</script>"}, "(no reason given): &lt;script&gt;"),
        ({}, "sent you back without a word"),
        ({"code": "c" * 5000}, "sent you back without a word"),
        ({"code": "made-up"}, "does not take the sign-in back (invalid_grant)"),
        ({"code": "made-up", "iss": "https://evil.example"}, "the answer is of another provider"),
        ({"code": "made-up", "iss": None}, "the answer is of another provider"),
    ],
    ids=["denied", "odd error", "nothing", "too long", "made up", "of another", "of nobody"],
)
def test_answers_that_let_nobody_in_are_told(up: World, answer: dict[str, Any], why: str) -> None:
    window = up.window()
    there = window.ask("/sign-in")[1]
    state = parse_qs(urlsplit(there).query)["state"][0]
    said = {"state": state, "iss": up.openid.url, **answer}
    sent = urlencode({name: value for name, value in said.items() if value is not None})
    status, _, text = window.ask(f"/sign-in/callback?{sent}")
    assert (status in (401, 403), why in text) == (True, True)
    assert "<script>" not in text
    assert "/sign-in" in text
    assert up.who(window) is None


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "/" + "x" * 5000, ""])
def test_signing_in_leads_to_a_page_of_ours_and_nowhere_else(up: World, wanted: str) -> None:
    window = up.window()
    assert window.sign_in(f"/sign-in?{urlencode({'next': wanted})}")[1] == "/"
    assert all(len(one) < 1024 for one in window.given)


def test_who_tries_answers_waits(up: World) -> None:
    window = up.window()
    for n in range(access.FAILURES):
        assert window.ask(f"/sign-in/callback?code=c&state={n:032x}")[0] == 401
    back = window.go()
    assert window.ask(back)[0] == 429
    up.now[0] += 15
    assert window.ask(back)[0] == 303


def test_who_asks_too_often_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REQUESTS", 6)
    with world.running():
        found = [world.window().ask(path)[0] for path in ("/sign-in", "/sign-in/callback", "/sign-out") * 3]
    assert found == [303, 401, 303, 303, 401, 303, 429, 429, 429]


@pytest.mark.parametrize("path", access.OIDC_PATHS)
def test_names_of_somebody_else_are_sent_away(up: World, path: str) -> None:
    assert up.window().ask(path, Host="evil.example")[0] == 421


# --- what is told


def test_secrets_are_told_nobody(world: World) -> None:
    world.openid.secret = "of the client"
    world.say(client_secret_env="OIDC_SECRET")
    world.settings = msgspec.structs.replace(world.settings, environ={"OIDC_SECRET": world.openid.secret})
    texts: list[object] = []
    with world.running():
        window = world.window()
        texts += [window.sign_in(), window.ask("/"), window.given]
        # What is sealed is not hidden.
        texts += [base64.urlsafe_b64decode(one.partition("=")[2].partition(".")[0] + "===") for one in window.given]
        for sign in SIGNS.values():
            world.openid.sign = partial(sign, world.openid)
            texts.append(world.window().sign_in())
            world.now[0] += 60
        world.openid.answer = lambda path: (400, {}, json.dumps({"error": "x " + world.openid.seen[-1]}).encode())
        world.now[0] += provider.KEPT_S + 1
        texts.append(world.window().ask("/sign-in"))
    said = "\n".join(map(str, [*texts, *world.told]))
    assert len(world.openid.seen) > 20
    assert [one for one in [*world.openid.seen, world.openid.secret] if one in said] == []
