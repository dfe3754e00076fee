"""Which notices go to whom and when: pauses, giving up, many at once, a clock that jumps."""

import pytest

from headway.core import facts as f
from headway.core.courier import FIRST_PAUSE_S, GIVE_UP_S, LONGEST_PAUSE_S, OLDEST_S, Bag, Receipt, is_too_old
from headway.core.notice import FEW, Notice

NOW = 1_700_000_000.0
DOWN = Receipt(why="nobody is there")


def notice(n: int, at: float = NOW) -> Notice:
    return Notice(
        key=f"run/{n}#9", topic="run", about=f"run {n}", title=f"run {n} failed", text="w", command="c", at=at
    )


def bag(*notices: Notice) -> Bag:
    made = Bag("team")
    for one in notices:
        made.add(one)
    return made


def keys(made: Bag, now: float = NOW) -> list[str]:
    return [key for letter in made.due(now) for key in letter.keys]


def test_what_is_new_is_due_in_order_and_until_it_is_done() -> None:
    made = bag(notice(2), notice(1))
    assert keys(made) == keys(made) == ["run/2#9", "run/1#9"]
    made.done("run/2#9")
    assert keys(made) == ["run/1#9"]
    assert len(made) == 1


def test_what_was_told_is_not_taken_in_again() -> None:
    made = bag(notice(1))
    made.done("run/1#9")
    made.add(notice(1))
    made.done("run/2#9")
    made.add(notice(2))
    assert keys(made) == []


def test_what_was_taken_becomes_a_fact_with_its_tries() -> None:
    made = bag(notice(1))
    (letter,) = made.due(NOW)
    assert made.after(letter, DOWN, NOW) == []
    (letter,) = made.due(NOW + FIRST_PAUSE_S)
    sent = made.after(letter, Receipt(), NOW + FIRST_PAUSE_S)
    assert sent == [f.NoticeSent(key="run/1#9", notifier="team", n_tries=2)]
    assert made.trouble == ""


def test_pauses_grow_to_an_hour_and_begin_anew_after_a_success() -> None:
    made = bag(notice(1))
    now, pauses = NOW, []
    for _ in range(12):
        (letter,) = made.due(now)
        made.after(letter, DOWN, now)
        assert made.due(made.next_at - 0.001) == []
        pauses.append(made.next_at - now)
        now = made.next_at
    assert pauses[:4] == [30, 60, 120, 240]
    assert pauses[-1] == LONGEST_PAUSE_S
    (letter,) = made.due(now)
    made.after(letter, Receipt(), now)
    assert made.next_at == now


def test_who_asks_for_patience_gets_it_and_no_more_than_an_hour() -> None:
    made = bag(notice(1))
    (letter,) = made.due(NOW)
    made.after(letter, Receipt(why="429", wait_s=45), NOW)
    assert made.next_at == NOW + 45
    made.after(letter, Receipt(why="429", wait_s=1e9), NOW)
    assert made.next_at == NOW + LONGEST_PAUSE_S


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    made = bag(notice(1))
    (letter,) = made.due(NOW)
    made.after(letter, DOWN, NOW)
    assert made.due(NOW + 1) == []
    assert made.due(NOW - 10 * LONGEST_PAUSE_S)


def test_what_will_never_be_taken_is_given_up_and_holds_nothing_up() -> None:
    made = bag(notice(1), notice(2))
    first, _ = made.due(NOW)
    assert made.after(first, Receipt(why="400", is_final=True), NOW) == [
        f.NoticeFailed(key="run/1#9", notifier="team", why="400", n_tries=1)
    ]
    assert made.next_at == NOW
    assert made.trouble == "400"


def test_what_nobody_takes_for_a_day_is_given_up_but_not_before_it_was_tried() -> None:
    made = bag(notice(1, at=NOW - GIVE_UP_S), notice(2, at=NOW - GIVE_UP_S - 1))
    first, second = made.due(NOW)
    assert made.after(first, DOWN, NOW) == []
    assert made.after(second, DOWN, NOW) == [
        f.NoticeFailed(key="run/2#9", notifier="team", why="nobody is there", n_tries=1)
    ]


def test_many_at_once_are_told_by_one_letter_and_become_a_fact_each() -> None:
    made = bag(*(notice(n) for n in range(FEW + 1)))
    (letter,) = made.due(NOW)
    assert letter.notice.title == f"{FEW + 1} things happened"
    sent = made.after(letter, Receipt(), NOW)
    assert [fact.key for fact in sent] == [f"run/{n}#9" for n in range(FEW + 1)]
    assert len(bag(*(notice(n) for n in range(FEW))).due(NOW)) == FEW


def test_a_letter_of_what_somebody_else_told_meanwhile_says_nothing() -> None:
    made = bag(notice(1))
    (letter,) = made.due(NOW)
    made.done("run/1#9")
    assert made.after(letter, Receipt(), NOW) == []


@pytest.mark.parametrize(("age_s", "is_old"), [(OLDEST_S, False), (OLDEST_S + 1, True), (-5.0, False)])
def test_what_happened_long_ago_is_news_to_nobody(age_s: float, is_old: bool) -> None:
    entry = f.Entry(seq=1, stream="run/1", n=1, at=NOW - age_s, fact=f.RunResumed())
    assert is_too_old(entry, NOW) is is_old
