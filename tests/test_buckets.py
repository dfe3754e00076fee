"""What is shared by all that live in buckets: which settings a client gets, and how its faults are told."""

import builtins
from types import ModuleType
from typing import Any

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from headway.buckets import Access
from headway.errors import ExtraMissing, HeadwayError, RemoteRefused, RemoteUnreachable, UsageMistaken

S3 = {"AWS_ACCESS_KEY_ID": "my-key", "AWS_SECRET_ACCESS_KEY": "my-secret", "AWS_REGION": "eu-west-1"}


def access(**environ: str) -> Access:
    return Access("s3://b/c", {**S3, **environ}, RemoteRefused, RemoteUnreachable)


def test_of_the_environment_a_client_is_given_what_it_knows() -> None:
    store = access(AWS_PROFILE="somebody", AWS_PAGER="less", AWS_SESSION_TOKEN="", GOOGLE_SERVICE_ACCOUNT="x").open(
        "s3://b/c", {}, None
    )
    assert store.config == {
        "access_key_id": "my-key",
        "secret_access_key": "my-secret",
        "region": "eu-west-1",
        "checksum_algorithm": "sha256",
        "bucket": "b",
    }


@pytest.mark.parametrize(
    ("environ", "is_plain"),
    [
        ({}, "false"),
        ({"AWS_ALLOW_HTTP": "false"}, "false"),
        ({"AWS_ALLOW_HTTP": "true"}, "true"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "true"),
        ({"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, "false"),
    ],
)
def test_plain_http_is_spoken_where_it_is_asked_for(environ: dict[str, str], is_plain: str) -> None:
    assert access(**environ).open("s3://b/c", {}, None).client_options == {
        "allow_http": is_plain,
        "connect_timeout": "10s",
    }


def fails_with(*errors: Exception) -> tuple[list[Exception], Any]:
    left = list(errors)

    def ask() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return left, ask


def test_what_failed_on_the_way_is_asked_again_as_often_as_there_are_pauses() -> None:
    left, ask = fails_with(GenericError("reset"), OSError("gone"))
    assert access().ask(ask, (0.0, 0.0)) == "answer"
    left, ask = fails_with(GenericError("reset"), OSError("gone"), OSError("never tried"))
    with pytest.raises(RemoteUnreachable, match="gone"):
        access().ask(ask, (0.0,))
    assert [str(e) for e in left] == ["never tried"]


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (PermissionDeniedError("no"), RemoteRefused, "does not let you in: no"),
        (GenericError("Server returned status code: 403 Forbidden"), RemoteRefused, "does not let you in"),
        (FileNotFoundError("NoSuchBucket"), RemoteRefused, "there is no such bucket"),
        (ValueError("no range"), UsageMistaken, "cannot be asked that: no range"),
    ],
)
def test_a_refusal_is_told_at_once(error: Exception, kind: type[HeadwayError], said: str) -> None:
    left, ask = fails_with(error, OSError("never tried"))
    with pytest.raises(kind, match=said):
        access().ask(ask, (0.0,))
    assert len(left) == 1


def test_what_is_not_there_is_none() -> None:
    assert access().ask(fails_with(FileNotFoundError("no such object"))[1], ()) is None


def test_secrets_in_what_the_client_says_are_not_shown() -> None:
    with pytest.raises(RemoteRefused) as told:
        access().ask(fails_with(PermissionDeniedError("my-secret of my-key in eu-west-1"))[1], ())
    assert told.value.problem.endswith("in: $AWS_SECRET_ACCESS_KEY of $AWS_ACCESS_KEY_ID in eu-west-1")


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> ModuleType:
        if name.startswith("obstore"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    for use in (lambda: access().open("s3://b", {}, None), lambda: access().ask(str, ())):
        with pytest.raises(ExtraMissing) as told:
            use()
        assert "headway[remote]" in told.value.remedy
