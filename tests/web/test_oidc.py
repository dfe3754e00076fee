"""Signing in with a provider that keeps to the rules: names, roles, sessions, and going out again."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from headway.core.access import Role
from headway.core.oidc import Roles
from headway.web import access, passes
from headway.web.passes import KeptKeys
from openid_world import CLIENT, KEYS, World, bare, key_of, shared, up, world

__all__ = ["bare", "shared", "up", "world"]


# --- as it should be --------------------------------------------------------------------------------------------


def test_who_signs_in_has_a_session_with_name_and_role(up: World) -> None:
    window = up.window()
    status, _, text = window.ask("/runs?outcome=passed")
    assert status == 401
    assert f"Sign in with <span>127.0.0.1:{up.openid.server.server_address[1]}</span>" in text
    way = text.partition('href="/sign-in?')[2].partition('"')[0]
    assert window.sign_in(f"/sign-in?{way}")[:2] == (303, "/runs?outcome=passed")
    assert up.who(window) == ("ann", "admin")
    assert up.told == []
    # What began it is forgotten; what is left is as any other session.
    assert len(window.cookies) == 1
    session = next(one for one in window.given if "-in-" not in one)
    assert all(word in session for word in ("HttpOnly", "SameSite=lax", f"Max-Age={12 * 3600}"))
    assert "Secure" not in session


def test_what_somebody_does_who_signed_in_is_a_fact_with_their_name(up: World) -> None:
    up.openid.claims["preferred_username"] = "cleo"
    window = up.window()
    window.sign_in()
    form = urlencode({"pipeline": "churn", "why": "the data are new"})
    assert window.ask("/runs", "POST", form, Sec_Fetch_Site="cross-site")[0] == 403
    assert window.ask("/runs", "POST", form, Sec_Fetch_Site="same-origin")[0] == 303
    found = msgspec.json.decode(window.ask("/api/v1/audit?by=cleo")[2])
    assert "the data are new" in str(found)
    assert "the data are new" not in window.ask("/api/v1/audit?by=ann")[2]


@pytest.mark.parametrize("alg", ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512"])
def test_keys_of_every_usual_kind_sign(up: World, alg: str) -> None:
    up.openid.alg = alg
    up.openid.keys = [key_of("RS256", "another"), KEYS[alg]]
    window = up.window()
    assert window.sign_in()[0] == 303
    assert up.who(window) == ("ann", "admin")


@pytest.mark.parametrize(
    ("methods", "secret"),
    [(["client_secret_basic"], "a b+c:d%"), (["client_secret_post"], "a b+c:d%"), (None, "s"), (["none"], "")],
    ids=["basic", "post", "unsaid", "public"],
)
def test_a_client_proves_itself_as_the_provider_wants(world: World, methods: list[str] | None, secret: str) -> None:
    world.openid.secret = secret
    world.openid.about_more = {"token_endpoint_auth_methods_supported": methods}
    if secret:
        world.say(client_secret_env="OIDC_SECRET")
        world.settings = msgspec.structs.replace(world.settings, environ={"OIDC_SECRET": secret})
    with world.running():
        assert world.window().sign_in()[0] == 303
    assert world.told == []


def test_several_pages_may_sign_in_at_a_time_and_each_goes_on_where_it_was(up: World) -> None:
    window = up.window()
    one, two = window.go("/sign-in?next=/runs/1"), window.go("/sign-in?next=/runs/2")
    assert window.ask(two)[1] == "/runs/2"
    assert window.ask(one)[1] == "/runs/1"


def test_a_session_outlives_a_restart(world: World) -> None:
    world.keys = KeptKeys(world.settings.home)
    window = world.window()
    with world.running():
        window.sign_in()
    with world.running():
        assert world.who(window) == ("ann", "admin")
        world.now[0] += passes.SESSION_S + 1
        assert world.who(window) is None


def test_behind_tls_all_cookies_go_over_tls_alone(world: World) -> None:
    world.openid.redirects = {"https://headway.example.com/sign-in/callback"}
    world.settings = msgspec.structs.replace(world.settings, web_url="https://headway.example.com")
    window = world.window()
    with world.running():
        back = window.go()
        assert back.startswith("https://headway.example.com/sign-in/callback?")
        assert window.ask(back.removeprefix("https://headway.example.com"))[0] == 303
    assert len(window.given) == 3
    assert all("Secure" in one for one in window.given if "Max-Age=0" not in one)


# --- names and roles --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["ml-admins", "staff"]}, "admin"),
        ({"groups": ["staff", "others"]}, "viewer"),
        ({"groups": "leads"}, "approver"),
        ({"groups": ["others", 7, None]}, None),
        ({"groups": {"ml-admins": True}}, None),
        ({}, None),
    ],
    ids=["several", "one", "text", "others", "odd", "missing"],
)
def test_groups_give_roles_and_nothing_else_does(up: World, claims: dict[str, Any], role: Role | None) -> None:
    up.openid.claims = {"preferred_username": "ann", **claims}
    window = up.window()
    status, _, text = window.sign_in()
    assert up.who(window) == (None if role is None else ("ann", role))
    assert status == (303 if role else 403)
    if role is None:
        assert "knows you as ann, and that gives no role here" in text
        assert 'name="token"' in text
        assert len(up.told) == 1


def test_a_default_role_lets_everybody_in(world: World) -> None:
    world.say(default_role="viewer")
    world.openid.claims = {"preferred_username": "bob"}
    with world.running():
        window = world.window()
        window.sign_in()
        assert world.who(window) == ("bob", "viewer")


def test_what_is_not_in_the_token_is_asked_for(world: World) -> None:
    world.openid.claims = {}
    world.openid.told = {"email": "ann@example.com", "email_verified": True, "realm": {"roles": ["leads"]}}
    world.say(roles_claim="realm.roles")
    with world.running():
        window = world.window()
        window.sign_in()
        assert world.who(window) == ("ann@example.com", "approver")
        # Of somebody else it is not believed.
        world.openid.told["sub"] = "u2"
        status, _, text = up_and_back(world)
    assert (status, "speaks of two people" in text) == (403, True)


def up_and_back(world: World) -> tuple[int, str, str]:
    return world.window().sign_in()


@pytest.mark.parametrize(
    ("claim", "claims", "name"),
    [
        ("", {"preferred_username": "ann", "email": "a@example.com"}, "ann"),
        ("", {"email": "a@example.com"}, "a@example.com"),
        ("", {"email": "a@example.com", "email_verified": False}, "u1"),
        ("", {"preferred_username": "a\nb"}, "u1"),
        ("name", {"preferred_username": "ann", "name": "Ann <b>"}, "Ann &lt;b&gt;"),
        ("name", {"preferred_username": "ann"}, None),
        ("email", {"email": "a@example.com", "email_verified": False}, None),
    ],
    ids=["preferred", "address", "not verified", "odd", "chosen", "chosen and missing", "chosen and not verified"],
)
def test_people_are_called_what_the_settings_say(
    world: World, claim: str, claims: dict[str, Any], name: str | None
) -> None:
    world.say(name_claim=claim)
    world.openid.claims = {"groups": ["staff"], **claims}
    with world.running():
        window = world.window()
        status, _, text = window.sign_in()
        assert world.who(window) == (None if name is None else (name, "viewer"))
    if name is None:
        assert status == 403
        assert "does not say what you are called" in text


def test_other_settings_hold_for_sessions_that_there_are(world: World) -> None:
    windows = {group: world.window() for group in ("leads", "ml-admins")}
    with world.running():
        for group, window in windows.items():
            world.openid.claims["groups"] = [group, "others"]
            window.sign_in()
    one, two = windows.values()
    before = world.written

    def now_are(**changed: Any) -> list[tuple[str, str] | None]:
        world.say(**changed)
        with world.running():
            found = [world.who(one), world.who(two)]
        world.written = before
        return found

    assert now_are() == [("ann", "approver"), ("ann", "admin")]
    assert now_are(roles=Roles(viewer=("leads",))) == [("ann", "viewer"), None]
    assert now_are(roles=Roles(admin=("others",))) == [("ann", "admin"), ("ann", "admin")]
    assert now_are(roles=Roles(), default_role="operator") == [("ann", "operator"), ("ann", "operator")]
    assert now_are(client_id="another") == [None, None]
    assert now_are(issuer="https://id.example.com") == [None, None]
    world.settings = msgspec.structs.replace(world.settings, web_oidc=None)
    with world.running():
        assert [world.who(one), world.who(two)] == [None, None]


def test_somebody_in_a_thousand_groups_has_a_cookie_that_browsers_keep(up: World) -> None:
    up.openid.claims["groups"] = [*(f"group-{n:04}-é" for n in range(1000)), "leads"]
    window = up.window()
    window.sign_in()
    assert up.who(window) == ("ann", "approver")
    assert all(len(one) < 4096 for one in window.given)


# --- going out --------------------------------------------------------------------------------------------------


def test_who_signs_out_is_out_here_and_can_be_there(up: World) -> None:
    window = up.window()
    window.sign_in()
    kept = dict(window.cookies)
    assert window.ask("/leave", "POST", Sec_Fetch_Site="same-origin")[:2] == (303, "/enter?left")
    window.cookies = kept
    assert up.who(window) is None
    text = window.ask("/enter?left")[2]
    assert 'href="/sign-out"' in text
    assert window.ask("/sign-out")[1] == f"{up.openid.url}/end?client_id={CLIENT}"


def test_where_nobody_can_sign_out_it_is_not_offered(up: World) -> None:
    up.openid.about_more = {"end_session_endpoint": None}
    window = up.window()
    window.sign_in()
    assert "sign-out" not in window.ask("/enter?left")[2]
    assert window.ask("/sign-out")[:2] == (303, "/enter")


# --- what is where ----------------------------------------------------------------------------------------------


def test_pages_that_only_read_are_not_signed_in_to(world: World) -> None:
    with world.running(reading=True):
        window = world.window()
        assert "Sign in with" not in window.ask("/enter")[2]
        assert [window.ask(path)[0] for path in access.OIDC_PATHS] == [404] * 3


def test_without_a_provider_there_is_no_such_way(world: World) -> None:
    world.settings = msgspec.structs.replace(world.settings, web_oidc=None)
    with world.running():
        window = world.window()
        assert "Sign in with" not in window.ask("/enter")[2]
        assert [window.ask(path)[0] for path in access.OIDC_PATHS] == [404] * 3


def test_a_secret_that_is_not_set_is_told_to_whoever_runs_the_server(world: World) -> None:
    world.say(client_secret_env="OIDC_SECRET")
    with world.running():
        assert "web.oidc.client-secret-env" in world.told[0]
        status, _, text = world.window().ask("/sign-in")
    assert status == 503
    assert "signing in is not set up completely" in text
    assert "OIDC_SECRET" not in text


IMPORTS = """
import sys
{before}
from headway.config import Settings, load
from headway.core.oidc import Oidc
from headway.web.app import make
from headway.web.site import Site
import msgspec
told = []
oidc = Oidc(issuer="http://127.0.0.1:1", client_id="c", default_role="viewer")
make(Site(settings=msgspec.structs.replace(load(), web_url="http://127.0.0.1:2", web_oidc=oidc), tell=told.append))
print(sorted({{"joserfc", "cryptography"}} & {{name for name, module in sys.modules.items() if module}}))
print(told)
"""


@pytest.mark.parametrize("is_there", [True, False])
def test_the_library_is_imported_when_somebody_signs_in_and_missed_before(tmp_path: Path, is_there: bool) -> None:
    code = IMPORTS.format(before="" if is_there else "sys.modules['joserfc'] = None")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    modules, told = done.stdout.splitlines()
    assert modules == "[]"
    assert ("pip install" in told) == (not is_there)
