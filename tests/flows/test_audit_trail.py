"""Who did what, page by page: all of it once, and however far back, no more is read than what is shown."""

from collections.abc import Iterator
from typing import Any

import pytest

from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.core.audit_trail import Sought
from headway.flows.audit_trail import newest


class Counted(MemoryLog):
    """Counts what is read of it."""

    n_read = 0

    def scan(self, *args: Any, **kwargs: Any) -> Iterator[f.Entry]:
        for entry in super().scan(*args, **kwargs):
            self.n_read += 1
            yield entry


@pytest.fixture
def log() -> Counted:
    """Three hundred deeds of two people, and among them facts that nobody answers for."""
    found = Counted()
    for n in range(300):
        facts: list[f.Fact] = [
            f.AliasMoved(model="m", alias="champion", version=n + 1, by="ann" if n % 3 else "bob", why=f"{n}"),
            f.AliasMoved(model="m", alias="champion", version=n + 1),
        ]
        found.append("model/m", facts, expect=2 * n, at=float(n))
    return found


@pytest.mark.parametrize(("by", "n_deeds"), [("", 300), ("bob", 100)])
def test_all_pages_together_are_all_deeds_newest_first(log: Counted, by: str, n_deeds: int) -> None:
    seen: list[int] = []
    before = 0
    while True:
        page = newest(log, Sought(by=by), most=7, before=before)
        seen += [deed.seq for deed in page.deeds]
        before = page.before
        if not before:
            break
    every = [deed.seq for deed in newest(log, Sought(by=by), most=1000).deeds]
    assert seen == every == sorted(every, reverse=True)
    assert len(every) == n_deeds


@pytest.mark.parametrize("before", [0, 500, 100])
def test_an_older_page_costs_what_it_shows(log: Counted, before: int) -> None:
    page = newest(log, Sought(), most=10, before=before)
    assert len(page.deeds) == 10
    assert not before or page.deeds[0].seq < before
    assert log.n_read <= 24
