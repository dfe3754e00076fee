"""Releases as they are drawn: in any width, in Unicode and ASCII, with colours and without."""

import msgspec
import pytest

from headway.core import facts as f
from headway.core.rollout_window import Window
from headway.terminal.paint import Paint
from headway.terminal.rollouts import briefly, listed, status
from headway.terminal.width import cells
from releases_told import began, counted, looked, told

UNICODE, ASCII = Paint(colours=False, unicode=True), Paint(colours=False, unicode=False)
COLOURED = Paint(colours=True, unicode=True)

QUIET = (began(0), looked(counted(1), counted(1, place="north")))
BROKEN = (began(0), looked(counted(40), counted(30, place="south"), counted(1, place="a very long name " * 4)))
HELD = (*QUIET, f.ReleaseHeld(release=2, stage=0, why="new.slow <= 0.01: not proved at the end of the stages"))
WAITING = (*QUIET, began(1))
BAKING = (*QUIET, f.EndpointSwitched(release=2, url="http://127.0.0.1:1"), began(3))
GONE = (*BROKEN, f.ReleaseFinished(release=2, outcome="rolled-back", why="errors: 40 of 640 failed"))
ALL = {"quiet": QUIET, "broken": BROKEN, "held": HELD, "waiting": WAITING, "baking": BAKING, "gone": GONE}


def drawn(*then: f.Fact, columns: int = 80, paint: Paint = UNICODE, every: bool = False) -> list[str]:
    return [plain for plain, _ in status(told(*then)[0], columns=columns, paint=paint, every=every)]


@pytest.mark.parametrize("then", ALL.values(), ids=ALL)
@pytest.mark.parametrize("columns", [40, 50, 60, 79, 80, 100, 200])
def test_every_picture_fits_its_screen(columns: int, then: tuple[f.Fact, ...]) -> None:
    for paint in (UNICODE, ASCII):
        for every in (False, True):
            assert max(map(cells, drawn(*then, columns=columns, paint=paint, every=every))) <= columns


@pytest.mark.parametrize("then", ALL.values(), ids=ALL)
def test_colours_change_no_word(then: tuple[f.Fact, ...]) -> None:
    lines = status(told(*then)[0], columns=100, paint=COLOURED)
    assert any("\x1b[" in painted for _, painted in lines)
    for plain, painted in lines:
        bare = painted
        for code in ("1", "2", "31", "32", "33", "36", "0"):
            bare = bare.replace(f"\x1b[{code}m", "")
        assert bare == plain


def test_ascii_is_ascii() -> None:
    assert "\n".join(drawn(*BROKEN, paint=ASCII, every=True)).isascii()


def test_a_quiet_release_takes_six_lines_at_eighty_columns() -> None:
    lines = drawn(*QUIET)
    assert lines == [
        "e: m@2 answers 10 %, m@1 90 % (release 2 by ann, 2.5 minutes ago)",
        "  stage 1 of 4, canary: 10% for 10000 requ…  ━━━━━━╌╌╌╌ 6,400 of 10,000 requests",
        "  · errors                         ╌╌╌╌╌╌╌╌╌╌╌╌ 0.11 of 40",
        "  ? new.errors / old.errors <= 1.5 ━━━━━━━╌╌╌╌╌ proof 5.6 of 20",
        "  and 4 more, less near to rolling back",
        "  nothing shown to be worse; next: pause: approval by alice in about 51 seconds",
    ]


def test_every_guard_and_slice_is_drawn_when_asked_for() -> None:
    names = [line.split("  ")[1][2:].strip() for line in drawn(*QUIET, columns=120, every=True)[2:-1]]
    assert [name.partition(" ━")[0].partition(" ╌")[0] for name in names] == [
        "errors",
        "latency",
        "new.errors / old.errors <= 1.5",
        "new.slow <= 0.01",
        "errors in region=north",
        "harm",
    ]


def test_what_rolls_back_is_told_in_a_whole_sentence() -> None:
    text = " ".join(line.strip() for line in drawn(*BROKEN))
    assert "✗ errors in region=south" in text
    assert "roll back: errors: 40 of 640 (6.25 %) failed, of the champion's 32 of 5,760 (0.556 %): " in text


def test_whoever_is_asked_is_told_what_to_type() -> None:
    assert drawn(*HELD)[-2:] == [
        "  new.slow <= 0.01: not proved at the end of the stages",
        "  waits for a person: headway rollout promote e or headway rollout abort e",
    ]
    alone = msgspec.structs.replace(told(*HELD)[0], driver=None)
    assert briefly(alone, 100)[-1] == "  or see whether more requests suffice: headway rollout watch e"
    assert drawn(*WAITING)[-1] == "  waits for alice: headway rollout promote e or headway rollout abort e"


def test_a_release_is_told_briefly_after_somebody_said_something_to_it() -> None:
    assert briefly(told(*BAKING)[0], 100) == [
        "e: m@2 answers everything, m@1 stays warm (release 2 by ann, 4.5 minutes ago)",
        "  nothing shown to be worse; next: the end in about 14 days, and the old version is ended",
    ]


def test_a_list_of_releases_says_why_each_ended() -> None:
    looked_at, _ = told(*GONE)
    (_, row) = listed([looked_at.release], now=looked_at.at)
    assert row == "2        m@2      rolled-back  30 s ago  ann  errors: 40 of 640 failed"
    assert max(map(len, listed([looked_at.release], now=looked_at.at, columns=40))) == 40


def test_nothing_counted_is_no_reason_to_be_silent() -> None:
    lines = drawn(began(0), looked(Window()))
    assert "no answer yet" in "\n".join(drawn(began(0), looked(Window()), columns=100, every=True))
    assert lines[-1].startswith("  nothing shown to be worse; next: pause: approval by alice")
