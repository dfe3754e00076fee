"""ID tokens and the keys that sign them: what is no key, and what is none for a token."""

import json
import sys

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from headway.codec import id_token
from headway.codec.id_token import ALGORITHMS, Head, fitting, read_keys
from headway.errors import ExtraMissing


def keys(*found: RSAKey | ECKey | OctKey, **more: str) -> bytes:
    return json.dumps({"keys": [{**one.as_dict(private=False), **more} for one in found]}).encode()


@pytest.fixture(scope="module")
def rsa() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "r"})


@pytest.fixture(scope="module")
def ec() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "e"})


def test_short_keys_and_those_for_other_things_are_passed_over(rsa: RSAKey, ec: ECKey) -> None:
    number = "AQAB" * 42  # 1008 bits
    short = json.dumps({"keys": [{"kty": "RSA", "n": number, "e": "AQAB"}, {"kty": "RSA", "n": "é", "e": "AQAB"}]})
    assert read_keys(short.encode()) == ()
    assert read_keys(keys(rsa, ec, use="enc")) == ()
    assert read_keys(keys(OctKey.import_key(b"s" * 32))) == ()
    assert len(read_keys(keys(rsa, ec, use="sig"))) == 2


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"keys": 1}', b"\xff", b"<html>"])
def test_what_is_no_set_of_keys_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_keys(data)


def test_a_key_fits_its_own_algorithms_alone(rsa: RSAKey, ec: ECKey) -> None:
    known = read_keys(keys(rsa, ec))
    found = {alg: [one.kid for one in fitting(Head(alg=alg), known)] for alg in (*ALGORITHMS, "HS256", "none", "EdDSA")}
    for_rsa = {alg: ["r"] for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")}
    assert found == {**for_rsa, "ES256": ["e"], "ES384": [], "ES512": [], "HS256": [], "none": [], "EdDSA": []}
    assert fitting(Head(alg="RS256", kid="e"), known) == ()
    assert fitting(Head(alg="PS256"), read_keys(keys(rsa, alg="RS256"))) == ()


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "e30.e30.x", "eyJhbGciOiAxfQ.e30.x", "é.e30.x", "eyJhbGciOiAiUlMyNTYifQ.a.b.c.d"]
)
def test_what_is_no_token_says_nothing_of_itself(token: str) -> None:
    assert id_token.head_of(token) is None


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with pytest.raises(ExtraMissing) as told:
        id_token.need()
    assert told.value.remedy == "pip install 'headway[oidc]'"
