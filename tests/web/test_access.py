"""Who is let in, and who may do what: every route times every role, links, sessions, tokens, and other sites."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headway.config import Settings
from headway.core.access import ROLES, Role, may
from headway.core.oidc import Oidc, Roles
from headway.web import access, passes
from headway.web.access import Access
from headway.web.app import Way, ways
from headway.web.passes import KeptKeys, OwnKeys, Pass
from headway.web.provider import Provider
from headway.web.site import Site
from web_world import NOW, TOKENS, Visitor, served, write

OIDC = Oidc(issuer="http://127.0.0.1:9", client_id="headway", roles_claim="groups", roles=Roles(admin=("ml-admins",)))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def with_provider(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, web_url="http://127.0.0.1:8", web_oidc=OIDC)


@pytest.fixture
def visitor(settings: Settings) -> Iterator[Visitor]:
    with served(settings) as found:
        yield found


PLACES = {
    "run": "1", "step": "gate", "name": "m", "version": "1", "endpoint": "e", "release": "2", "path": "retrain",
    "monitor": "live", "digest": "0", "pipeline": "churn",
}  # fmt: skip

OPEN = {"/health", "/hooks/{path:path}", "/static/{digest}/{name}", "/enter"}
"""What anybody may ask for; everything else takes a role."""

OF_PROVIDER = {"/sign-in", "/sign-in/callback", "/sign-out"}
"""The same where people sign in with a provider."""


ACTS: dict[str, Role] = {
    "/leave": "viewer",
    "/runs": "operator",
    "/releases/{endpoint}/{release}/act": "approver",
}
"""The role that each act takes; to look at anything takes that of a viewer."""


def address(way: Way) -> str:
    return re.sub(r"{(\w+)(:path)?}", lambda found: PLACES[found[1]], way.path)


def test_what_anybody_may_ask_for(settings: Settings, with_provider: Settings) -> None:
    for known, expected in ((settings, OPEN), (with_provider, OPEN | OF_PROVIDER)):
        site = Site(settings=known)
        routes = ways(site, Access(site))
        assert {way.path for way in routes if way.role is None} == expected
        assert all(way.methods == ("GET",) for way in routes if way.path in OF_PROVIDER)


def test_every_route_times_every_role(with_provider: Settings) -> None:
    settings = with_provider
    site = Site(settings=settings)
    routes = ways(site, Access(site))
    acts = {way.path.removeprefix("/api/v1"): way.role for way in routes if way.role and way.methods != ("GET",)}
    assert acts == ACTS
    assert {way.role for way in routes if way.role and way.methods == ("GET",)} == {"viewer"}
    # Time goes on with every question: nobody is sent away for guessing too often.
    clock = itertools.count(NOW, 60.0)
    with served(settings, now=lambda: next(clock)) as visitor:
        for way in routes:
            path = address(way)
            for method in way.methods:
                if way.role is None:
                    continue
                assert visitor.ask(path, method)[0].status == 401, path
                assert visitor.ask(path, method, Authorization="Bearer hw_nobody")[0].status == 401, path
                for role in ROLES:
                    status = visitor.ask(path, method, Authorization=f"Bearer {TOKENS[role]}")[0].status
                    assert (status == 403) == (not may(role, way.role)), (path, role)
                    assert status not in (401, 500), (path, role)


def test_every_route_times_every_session_that_is_none_or_is_used_by_another_site(with_provider: Settings) -> None:
    settings = with_provider
    keys = OwnKeys()
    token = settings.web_tokens[-1]

    def session(until: float, *, secret: bytes = keys.secret, **more: Any) -> str:
        value = Pass(**{"kind": "session", "name": "ann", "role": "admin", "until": until, "nonce": "n", **more})
        return f"{Access(site).cookie}={passes.seal(secret, value)}"

    site = Site(settings=settings, keys=keys)
    mark = Provider(OIDC, {}, lambda: NOW).mark
    keys.use(Pass(kind="session", name="ann", role="admin", until=NOW + 60.0**4, nonce="left"), NOW)
    strangers = {
        "over": session(NOW - 1),
        "sealed by somebody else": session(NOW + 60.0**4, secret=b"x" * 32),
        "signed out": session(NOW + 60.0**4, nonce="left"),
        "of a token that was taken back": session(NOW + 60.0**4, token="sha256:" + "0" * 64),
        "of another provider": session(NOW + 60.0**4, provider="0" * 32, groups=("ml-admins",)),
        "of groups that give no role": session(NOW + 60.0**4, provider=mark, groups=("staff",)),
    }
    known = session(NOW + 60.0**4, token=token.digest), session(NOW + 60.0**4, provider=mark, groups=("ml-admins",))
    clock = itertools.count(NOW, 1.0)
    with served(settings, keys=keys, now=lambda: next(clock)) as visitor:
        for way in ways(site, Access(site)):
            if way.role is None:
                continue
            for what, cookie in strangers.items():
                assert visitor.ask(address(way), way.methods[0], Cookie=cookie)[0].status == 401, (way.path, what)
            for cookie in known:
                status = visitor.ask(address(way), way.methods[0], Cookie=cookie, Sec_Fetch_Site="cross-site")[0].status
                # To look harms nobody; whatever else another site asks for is not done.
                assert (status == 403) == (way.methods != ("GET",)), way.path


def test_pages_that_only_read_have_no_act(settings: Settings) -> None:
    site = Site(settings=settings, reading=True)
    routes = ways(site, Access(site))
    assert {way.path for way in routes if "POST" in way.methods} == {"/enter", "/leave"}
    with served(settings, reading=True) as visitor:
        for path in ("/runs", "/api/v1/runs", "/releases/e/2/act", "/hooks/retrain"):
            assert visitor.ask(path, "POST", Authorization=f"Bearer {TOKENS['admin']}")[0].status in (404, 405)


def test_a_link_lets_one_browser_in_and_no_second_one(visitor: Visitor) -> None:
    path = visitor.server.link("ann", "approver").removeprefix(visitor.server.url)
    answer, _ = visitor.page(path)
    assert (answer.status, answer.getheader("location")) == (303, "/")
    given = answer.getheader("set-cookie") or ""
    assert "HttpOnly" in given
    assert "SameSite=lax" in given
    assert "Secure" not in given
    answer, text = visitor.page("/")
    assert answer.status == 200
    assert ">ann<" in text
    stranger = Visitor(visitor.server, visitor.site)
    answer, text = stranger.page(path)
    assert answer.status == 401
    assert "used up" in text
    assert stranger.cookie == ""


def test_a_browser_that_only_looks_ahead_does_not_use_the_link_up(visitor: Visitor) -> None:
    path = visitor.server.link("ann", "viewer").removeprefix(visitor.server.url)
    assert visitor.page(path, Sec_Purpose="prefetch;prerender")[0].status == 401
    assert visitor.page(path)[0].status == 303


def test_links_and_sessions_end(settings: Settings) -> None:
    now = [NOW]
    with served(settings, now=lambda: now[0]) as visitor:
        late = visitor.server.link("ann", "viewer").removeprefix(visitor.server.url)
        visitor.enter()
        now[0] += passes.LINK_S + 1
        assert visitor.page("/runs")[0].status == 200
        assert Visitor(visitor.server, visitor.site).page(late)[0].status == 401
        now[0] += passes.SESSION_S
        assert visitor.page("/runs")[0].status == 401


def test_who_signs_out_is_out(visitor: Visitor) -> None:
    visitor.enter()
    answer, _ = visitor.ask("/leave", "POST", Sec_Fetch_Site="same-origin")
    assert answer.status == 303
    assert visitor.cookie.endswith('""')
    assert visitor.page("/")[0].status == 401


def test_a_cookie_that_somebody_kept_is_of_no_use_after_its_owner_signed_out(settings: Settings) -> None:
    # Other processes of the project's user know of it as well.
    keys = [KeptKeys(settings.home) for _ in range(2)]
    with served(settings, keys=keys[0]) as visitor, served(settings, keys=keys[1]) as elsewhere:
        visitor.enter("admin")
        elsewhere.cookie = kept = visitor.cookie
        assert elsewhere.page("/")[0].status == 200
        visitor.ask("/leave", "POST", Sec_Fetch_Site="same-origin")
        visitor.cookie = kept
        assert visitor.page("/")[0].status == elsewhere.page("/")[0].status == 401
        # Another session of the same person is another's affair.
        visitor.cookie = ""
        visitor.enter("admin")
        assert visitor.page("/")[0].status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "localhost.evil.example", "", "[", "127.0.0.1.nip.example"]
)
def test_a_name_of_somebody_else_that_means_this_machine_is_sent_away(visitor: Visitor, host: str) -> None:
    visitor.enter("admin")
    for path in ("/", "/enter?key=x", "/api/v1/runs"):
        answer, text = visitor.ask(path, Host=host)
        assert answer.status in (400, 421), path
        assert "churn" not in text


@pytest.mark.parametrize(
    "host", ["localhost:8765", "127.0.0.1", "[::1]:8765", "box.localhost", "192.0.2.7:80", "Headway.Example.com"]
)
def test_this_machine_and_what_web_url_says_are_answered(settings: Settings, host: str) -> None:
    known = msgspec.structs.replace(settings, web_url="https://headway.example.com")
    with served(known) as visitor:
        assert visitor.ask("/api/v1/runs", Host=host, Authorization=f"Bearer {TOKENS['viewer']}")[0].status == 200


@pytest.mark.parametrize(
    "headers",
    [{"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Origin": "http://evil.example"}],
    ids=["cross-site", "same-site", "origin"],
)
def test_what_another_site_asks_for_in_the_name_of_a_browser_is_not_done(
    visitor: Visitor, headers: dict[str, str]
) -> None:
    visitor.enter("admin")
    assert visitor.ask("/leave", "POST", **headers)[0].status == 403
    assert Visitor(visitor.server, visitor.site).type_in(TOKENS["admin"], **headers) == 401
    # To look harms nobody, and a program is no browser.
    assert visitor.page("/", **headers)[0].status == 200
    assert visitor.ask("/leave", "POST", Authorization=f"Bearer {TOKENS['admin']}", **headers)[0].status == 303


def test_a_token_is_typed_once_and_its_session_ends_when_it_is_taken_back(settings: Settings) -> None:
    keys = OwnKeys()
    with served(settings, keys=keys) as visitor:
        assert visitor.type_in("hw_wrong") == 401
        assert visitor.type_in(TOKENS["operator"]) == 303
        assert ">operator-1<" in visitor.page("/")[1]
        cookie = visitor.cookie
    lowered = tuple(msgspec.structs.replace(one, role="viewer") for one in settings.web_tokens)
    with served(msgspec.structs.replace(settings, web_tokens=lowered), keys=keys) as visitor:
        visitor.cookie = cookie
        assert visitor.ask("/runs", "POST", Sec_Fetch_Site="same-origin")[0].status == 403
    left = tuple(one for one in settings.web_tokens if one.role != "operator")
    with served(msgspec.structs.replace(settings, web_tokens=left), keys=keys) as visitor:
        visitor.cookie = cookie
        assert visitor.page("/")[0].status == 401


def test_who_guesses_waits(settings: Settings) -> None:
    now = [NOW]
    with served(settings, now=lambda: now[0]) as visitor:
        for n in range(access.FAILURES):
            assert visitor.type_in(f"hw_{n}") == 401
        assert visitor.type_in(TOKENS["viewer"]) == 429
        assert visitor.ask("/runs", Authorization=f"Bearer {TOKENS['viewer']}")[0].status == 401
        now[0] += 15
        assert visitor.ask("/runs", Authorization=f"Bearer {TOKENS['viewer']}")[0].status == 200


def test_who_asks_too_often_waits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REQUESTS", 5)
    with served(settings) as visitor:
        found = [visitor.ask("/api/v1/runs", Authorization=f"Bearer {TOKENS['viewer']}")[0] for _ in range(7)]
    assert [answer.status for answer in found] == [200] * 5 + [429] * 2
    assert found[-1].getheader("retry-after") == "2"


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "runs", ""])
def test_a_link_leads_to_a_page_of_ours_and_nowhere_else(visitor: Visitor, wanted: str) -> None:
    path = visitor.server.link("ann", "viewer").removeprefix(visitor.server.url)
    assert visitor.page(f"{path}&next={wanted}")[0].getheader("location") == "/"


def test_a_link_may_lead_to_a_page(visitor: Visitor) -> None:
    path = visitor.server.link("ann", "viewer").removeprefix(visitor.server.url)
    assert visitor.page(f"{path}&next=/runs/1")[0].getheader("location") == "/runs/1"


def test_behind_tls_the_cookie_goes_over_tls_alone(settings: Settings) -> None:
    with served(msgspec.structs.replace(settings, web_url="https://headway.example.com")) as visitor:
        link = visitor.server.link("ann", "viewer")
        assert link.startswith("https://headway.example.com/enter?key=")
        answer, _ = visitor.page(link.removeprefix("https://headway.example.com"))
        assert "Secure" in (answer.getheader("set-cookie") or "")


# --- what is sealed ---------------------------------------------------------------------------------------------

SECRET = b"s" * 32


def sealed(kind: str = "session", role: Role = "viewer", until: float = 10.0) -> str:
    return passes.seal(SECRET, Pass(kind=kind, name="ann", role=role, until=until, nonce="n"))  # type: ignore[arg-type] # a table


def test_what_was_sealed_is_read_and_nothing_else() -> None:
    text = sealed()
    assert passes.unseal(SECRET, text, "session", 5.0) is not None
    said, signature = text.split(".")
    other, _ = sealed(role="admin").split(".")
    for wrong in ("", ".", said, f"{said}.", f".{signature}", f"{other}.{signature}", f"{text}.x", text[:-2], "é.é"):
        assert passes.unseal(SECRET, wrong, "session", 5.0) is None, wrong
    assert passes.unseal(b"t" * 32, text, "session", 5.0) is None
    assert passes.unseal(SECRET, text, "session", 10.0) is None
    assert passes.unseal(SECRET, text, "link", 5.0) is None
    assert passes.unseal(SECRET, sealed("link"), "session", 5.0) is None


def test_kept_keys_are_the_same_for_all_processes_and_for_their_user_alone(tmp_path: Path) -> None:
    home = str(tmp_path / ".headway")
    one, two = KeptKeys(home), KeptKeys(home)
    assert one.secret == two.secret
    assert len(one.secret) == 32
    assert (tmp_path / ".headway" / "web" / "secret").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / ".headway" / "web").iterdir()) == ["secret"]
    value = Pass(kind="link", name="ann", role="viewer", until=NOW, nonce="abc")
    assert [one.use(value, NOW), two.use(value, NOW), one.use(value, NOW)] == [True, False, False]


def test_own_keys_are_of_one_server_and_forget_what_is_over() -> None:
    keys = OwnKeys()
    assert keys.secret != OwnKeys().secret
    value = Pass(kind="link", name="ann", role="viewer", until=10.0, nonce="abc")
    assert [keys.use(value, 1.0), keys.use(value, 2.0)] == [True, False]
    assert keys.use(msgspec.structs.replace(value, nonce="other"), 20.0)
    assert keys._used == {"other": 10.0}


def test_a_token_is_known_by_its_digest() -> None:
    token = passes.new_token()
    assert len(token) > 40
    assert token != passes.new_token()
    assert passes.of_token("hw_v", ()) is None
