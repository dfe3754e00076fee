"""Signing in with a provider that is certified (`oidc-provider`, run by node), by hand and in a real browser."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import msgspec
import pytest

from headway.config import Settings
from headway.core.oidc import Oidc
from openid_world import CLIENT, ROLES, Window
from services import free_port
from web_world import Visitor, served, write

VERSION = "8.8.1"
CACHE = Path("~/.cache/headway-bench").expanduser() / f"oidc-provider-{VERSION}"
SCRIPT = Path(__file__).with_name("certified_provider.mjs")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="node and npm are not here"),
]


@pytest.fixture(scope="session")
def packages() -> Path:
    """Where the provider's packages are, fetched once for all tests of this machine."""
    if CACHE.exists():
        return CACHE
    fresh = CACHE.with_name(f"{CACHE.name}.{time.time_ns()}")
    fresh.mkdir(parents=True)
    words = ["npm", "install", "--prefix", str(fresh), f"oidc-provider@{VERSION}"]
    words += ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        shutil.rmtree(fresh)
        pytest.skip(f"oidc-provider cannot be fetched: {done.stderr[-300:]}")
    try:
        fresh.rename(CACHE)
    except OSError:
        # Another process was first.
        shutil.rmtree(fresh)
    return CACHE


@contextmanager
def certified(packages: Path, url: str, **client: Any) -> Iterator[str]:
    """The provider, which knows one client: the pages at `url`."""
    port = free_port()
    said = {"client_id": CLIENT, "redirect_uris": [f"{url}/sign-in/callback"], **client}
    words = ["node", str(SCRIPT), str(packages), str(port), msgspec.json.encode(said).decode()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            assert running.stdout is not None
            # It says more than that: warnings of what is for tests alone.
            assert any(line.strip() == "ready" for line in running.stdout)
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()


CLIENTS: dict[str, dict[str, Any]] = {
    "public": {"token_endpoint_auth_method": "none"},
    "with a secret": {"client_secret": "a b+c:%", "token_endpoint_auth_method": "client_secret_basic"},
    "with a secret in the form": {"client_secret": "s", "token_endpoint_auth_method": "client_secret_post"},
    "elliptic": {"token_endpoint_auth_method": "none", "id_token_signed_response_alg": "ES256"},
    "PSS": {"token_endpoint_auth_method": "none", "id_token_signed_response_alg": "PS256"},
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write(tmp_path_factory.mktemp("project"))


@contextmanager
def pages(bare: Settings, packages: Path, told: list[str], **client: Any) -> Iterator[Visitor]:
    """Pages that are signed in to with the provider."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    secret = client.get("client_secret", "")
    with certified(packages, url, **client) as issuer:
        written = Oidc(
            issuer=issuer,
            client_id=CLIENT,
            client_secret_env="OIDC_SECRET" if secret else "",
            scopes=("openid", "profile", "groups"),
            roles_claim="groups",
            roles=ROLES,
        )
        settings = msgspec.structs.replace(bare, web_url=url, web_oidc=written, environ={"OIDC_SECRET": secret})
        with served(settings, port=port, now=time.time, tell=told.append) as visitor:
            yield visitor


def sign_in_there(there: str, name: str, back: str) -> str:
    """What a person does at the provider: the address that it sends them back to."""
    opener = build_opener(HTTPCookieProcessor(CookieJar()))
    with opener.open(there) as answer:
        text = answer.read().decode()
    for form in ({"prompt": "login", "login": name, "password": "x"}, {"prompt": "consent"}):
        found = re.search(r'action="([^"]+)"', text)
        assert found is not None, text
        try:
            with opener.open(found[1], urlencode(form).encode()) as answer:
                if answer.url.startswith(back):
                    return str(answer.url)
                text = answer.read().decode()
        except OSError as e:
            # The pages let in only the browser that began: this one is none of theirs.
            url = str(getattr(e, "url", ""))
            assert url.startswith(back), url
            return url
    raise AssertionError(text)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_certified_provider_lets_people_in(bare: Settings, packages: Path, client: dict[str, Any]) -> None:
    told: list[str] = []
    with pages(bare, packages, told, **client) as visitor:
        url = visitor.server.url
        for name, role in (("ann", "admin"), ("bob", "viewer"), ("eve", None)):
            window = Window(url)
            there = window.ask("/sign-in?next=/runs")[1]
            back = sign_in_there(there, name, url)
            status, where, text = window.ask(back)
            assert (status, where) == ((303, "/runs") if role else (403, "")), text
            shown = window.ask("/runs")[2]
            assert (f'<span title="{role}">{name}</span>' in shown) == (role is not None)
            # Once, as everywhere.
            assert window.ask(back)[0] == 401
    assert [line for line in told if "eve" not in line] == []


def test_people_sign_in_and_out_in_a_browser(bare: Settings, packages: Path) -> None:
    pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    from browser_world import CHROMIUM, violations

    if CHROMIUM is None:
        pytest.skip("chromium is not here")
    told: list[str] = []
    faults: list[str] = []
    with pages(bare, packages, told, **CLIENTS["with a secret"]) as visitor, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(base_url=visitor.server.url).new_page()
        page.on("console", lambda said: faults.append(said.text) if "401" not in said.text else None)
        page.goto("/runs/1")
        assert violations(page) == []
        page.get_by_role("link", name="Sign in with 127.0.0.1").click()
        page.get_by_placeholder("Enter any login").fill("ann")
        page.get_by_placeholder("and password").fill("x")
        page.get_by_role("button", name="Sign-in").click()
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url("**/runs/1")
        assert page.locator("form.who").inner_text().split() == ["ann", "admin", "Sign", "out"]
        assert violations(page) == []
        page.goto("/runs")
        assert page.get_by_text("Start a run").first.is_visible()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/enter?left")
        assert violations(page) == []
        page.get_by_role("link", name="sign out there, too").click()
        page.get_by_role("button", name="Yes, sign me out").click()
        page.goto(f"{visitor.server.url}/runs")
        assert page.title() == "Come in · Headway"
        # Whoever says no at the provider is told so, and can begin again.
        page.get_by_role("link", name="Sign in with").click()
        page.get_by_role("link", name="Cancel").click()
        assert "did not let you in (access_denied)" in page.get_by_role("alert").inner_text()
        assert page.get_by_role("link", name="Sign in with").is_visible()
        assert violations(page) == []
        browser.close()
    assert told == []
    assert [one for one in faults if "Content Security Policy" in one and visitor.server.url in one] == []
