"""When files may be read: closed ones at once, unknown ones after a while of stillness, those being written not."""

import pytest

from headway.core.event_rest import FOLDER_STILL_S, OPEN_STILL_S, RESTLESS_S, STILL_S, Rest

NOW = 1000.0


def wait(rest: Rest, mark: str, now: float, **how: object) -> float:
    said = {"changed_at": now, "is_open": False, "is_folder": False, **how}
    return rest.wait_s(mark.encode(), now, **said)  # type: ignore[arg-type] # the words above


def test_a_file_that_nobody_writes_to_may_be_read_at_once() -> None:
    assert wait(Rest(), "a", NOW) == 0


@pytest.mark.parametrize(
    ("is_open", "is_folder", "wanted_s"),
    [(None, False, STILL_S), (True, False, OPEN_STILL_S), (False, True, FOLDER_STILL_S), (None, True, STILL_S)],
)
def test_stillness_is_waited_for(*, is_open: bool | None, is_folder: bool, wanted_s: float) -> None:
    rest = Rest()
    assert wait(rest, "a", NOW, is_open=is_open, is_folder=is_folder) == wanted_s
    later = NOW + wanted_s / 2
    assert wait(rest, "a", later, is_open=is_open, is_folder=is_folder) == pytest.approx(wanted_s / 2)
    assert wait(rest, "b", later, is_open=is_open, is_folder=is_folder) == wanted_s
    assert wait(rest, "b", later + wanted_s, is_open=is_open, is_folder=is_folder) == 0


def test_what_did_not_change_for_long_before_it_was_seen_is_still() -> None:
    assert wait(Rest(), "a", NOW, is_open=None, changed_at=NOW - 60) == 0
    assert wait(Rest(), "a", NOW, is_open=None, changed_at=NOW + 60) == STILL_S


def test_a_folder_without_end_of_changes_is_taken_after_a_while_unless_a_file_is_open() -> None:
    rest, now = Rest(), NOW
    while wait(rest, str(now), now, is_folder=True) > 0:
        now += 0.25
    assert now - NOW == RESTLESS_S
    rest = Rest()
    assert all(wait(rest, str(n), NOW + n, is_folder=True, is_open=True) > 0 for n in range(300))


def test_a_clock_that_is_set_back_begins_anew() -> None:
    rest = Rest()
    wait(rest, "a", NOW, is_open=None)
    assert wait(rest, "a", NOW - 500, is_open=None, changed_at=NOW) == STILL_S
    assert wait(rest, "a", NOW - 500 + STILL_S, is_open=None, changed_at=NOW) == 0
