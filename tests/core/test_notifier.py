"""What is written of those who are told: what cannot be meant is found, and no secret is said again."""

import pytest

from headway.core.notifier import Notifying, wrong

RIGHT = [
    Notifying(kind="webhook", to_env="HOOK", form="slack"),
    Notifying(kind="webhook", name="own", to="https://example.com/x", secret_env="KEY"),
    Notifying(kind="smtp", to="a@b", server="smtp://mail.example.com:587", user="u", secret_env="PW"),
    Notifying(kind="smtp", name="v6", to="a@b", server="smtps://[::1]:465"),
    Notifying(kind="command", to="tell"),
]


def test_what_can_be_meant_has_no_fault() -> None:
    assert wrong(RIGHT) == []


@pytest.mark.parametrize(
    ("one", "field"),
    [
        (Notifying(kind="command"), "to"),
        (Notifying(kind="command", to="x", to_env="X"), "to"),
        (Notifying(kind="webhook", to_env="https://hooks.example.com/T0/secret"), "to-env"),
        (Notifying(kind="webhook", to_env="HOOK", secret_env="two words"), "secret-env"),
        (Notifying(kind="webhook", to="hooks.example.com"), "to"),
        (Notifying(kind="smtp", to="a@b"), "server"),
        (Notifying(kind="smtp", to="a@b", server="mail.example.com"), "server"),
        (Notifying(kind="smtp", to="a@b", server="smtp://user:pw@mail.example.com"), "server"),
        (Notifying(kind="smtp", to="a@b", server="smtp://mail.example.com:65536"), "server"),
        (Notifying(kind="smtp", to="a@b", server="smtp://mail.example.com:0"), "server"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_told_by_its_field(one: Notifying, field: str) -> None:
    (fault,) = wrong([one])
    assert (fault.n, fault.field) == (0, field)
    assert fault.remedy


def test_a_secret_that_was_written_for_a_name_is_not_said_again() -> None:
    faults = wrong([Notifying(kind="webhook", to_env="https://hooks.example.com/T0/hunter2")])
    assert "hunter2" not in repr(faults)


def test_two_of_one_name_cannot_be_told_apart() -> None:
    (fault,) = wrong([Notifying(kind="command", to="a"), Notifying(kind="command", name="command", to="b")])
    assert (fault.n, fault.field) == (1, "name")


def test_each_is_told_of_what_it_wants() -> None:
    assert Notifying(kind="command", to="x").wants("run")
    assert Notifying(kind="command", to="x", about=("alarm", "run")).wants("run")
    assert not Notifying(kind="command", to="x", about=("alarm",)).wants("run")
