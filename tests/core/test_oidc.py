"""What a user may write of a provider, and what its claims mean."""

from typing import Any

import msgspec
import pytest

from headway.core.oidc import KEPT_BYTES, Oidc, Roles, groups_of, is_safe, lacks, role_of, wrong

URL = "https://headway.example.com"

GOOD = Oidc(issuer="https://id.example.com/realms/x", client_id="headway", default_role="viewer")


def fields(web_url: str = URL, **changed: Any) -> list[str]:
    return [one.field for one in wrong(msgspec.structs.replace(GOOD, **changed), web_url)]


@pytest.mark.parametrize(
    "issuer",
    [
        "", "id.example.com", "http://id.example.com", "ftp://id.example.com", "https://", "https://ann@id.example.com",
        "https://id.example.com?x", "https://id.example.com#x", "https://id.example.com/a b", "http://127.0.0.1.nip.example",
        "http://localhost.example.com", "https://id.example.com\\@evil.example", "http://127.0.0.1:1:2",
    ],
)  # fmt: skip
def test_an_issuer_that_cannot_be_is_a_fault(issuer: str) -> None:
    assert fields(issuer=issuer) == ["issuer"]


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.example.com",
        "https://id.example.com:8443/a/",
        "http://localhost:1",
        "http://127.0.0.1:9",
        "http://[::1]:9/x",
    ],
)
def test_an_issuer_with_tls_or_on_this_machine_is_none(issuer: str) -> None:
    assert fields(issuer=issuer) == []
    assert is_safe(issuer)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"client_id": ""}, ["client-id"]),
        ({"client_id": "a\nb"}, ["client-id"]),
        ({"client_secret_env": "s3cret-value"}, ["client-secret-env"]),
        ({"scopes": ("profile",)}, ["scopes"]),
        ({"scopes": ("openid", "a b", "")}, ["scopes", "scopes"]),
        ({"roles": Roles(admin=("a",))}, ["roles-claim"]),
        ({"roles_claim": "groups"}, ["roles"]),
        ({"default_role": None}, ["roles"]),
        ({"default_role": None, "roles_claim": "groups", "roles": Roles(admin=("a",))}, []),
        ({"web_url": ""}, [""]),
        ({"web_url": "http://headway.example.com"}, [""]),
        ({"web_url": "http://127.0.0.1:8765"}, []),
    ],
)
def test_every_fault_is_told_where_it_is(changed: dict[str, Any], expected: list[str]) -> None:
    assert fields(**changed) == expected


def test_all_faults_are_told_at_once_and_no_secret_with_them() -> None:
    found = wrong(Oidc(client_secret_env="s3cret value", scopes=()), "")
    assert [one.field for one in found] == ["issuer", "client-id", "client-secret-env", "scopes", "roles", ""]
    assert all(one.problem and one.remedy for one in found)
    assert "s3cret" not in str(found)


def test_the_highest_role_counts() -> None:
    written = Oidc(roles=Roles(viewer=("a",), operator=("b", "a"), approver=("c",), admin=("d",)))
    assert [role_of(written, one) for one in ((), ("a",), ("a", "c"), ("d", "a"), ("e",))] == [
        None, "operator", "approver", "admin", None,
    ]  # fmt: skip


def test_groups_that_give_roles_are_kept_before_all_others() -> None:
    written = Oidc(roles_claim="groups", roles=Roles(viewer=("staff",), admin=("ml-admins",)))
    many = [f"group-{n}" for n in range(1000)]
    found = groups_of(written, {"groups": [*many, "staff", "ml-admins", "staff"]})
    assert found[:3] == ("ml-admins", "staff", "group-0")
    assert len(str(found)) < 2 * KEPT_BYTES
    assert len(set(found)) == len(found) < 1000
    assert groups_of(Oidc(), {"groups": ["a"]}) == ()


def test_what_is_missing_is_known() -> None:
    assert lacks(Oidc(), {"email": "a@example.com"})
    assert not lacks(Oidc(), {"preferred_username": "ann"})
    assert not lacks(Oidc(name_claim="email"), {"email": "a@example.com"})
    assert lacks(Oidc(roles_claim="groups"), {"preferred_username": "ann"})
