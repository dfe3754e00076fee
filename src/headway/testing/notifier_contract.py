"""What all notifiers must do: subclass `NotifierContract` in a test file, and say how yours is made. Needs pytest."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec import Struct
from msgspec.structs import replace

from headway.core.notice import Notice
from headway.ports import Notifier

SECRET = "hunter2-8d1f"  # noqa: S105 (it opens nothing: no receipt may say it)
"""What a notifier is to be made with, wherever it takes a secret."""

PLAIN = Notice(
    key="run/7#9",
    topic="run",
    about="run 7",
    title="run 7 of churn failed",
    text="train: exit code 1\nsecond line",
    command="headway logs 7 train",
    link="/runs/7",
    at=1_700_000_000.0,
)

ODD = replace(
    PLAIN,
    key="run/8#9",
    title="a \"quoted\" 'title' $(touch pwned) `touch pwned` <!channel>\r\nBcc: eve@example.com",
    text="50 % & <b>more</b> é 漢 \u202e; touch pwned; *stars* _lines_ {{x}}\n.\n..\nthe end",
    command="headway logs 8 'train model'",
)
"""What would do harm where words are pasted into something."""


class Arrived(Struct, frozen=True, kw_only=True):
    """A notice as it came out at the other side: what tells it from others, all words of it, and who got it."""

    mark: str
    words: str
    receivers: tuple[str, ...] = ()


class NotifierContract(ABC):
    """What holds for all notifiers. Override what is abstract; `down` and `up` close and open the other side."""

    @abstractmethod
    def make(self) -> Notifier:
        """One that tells the other side; made with SECRET where it takes one."""

    @abstractmethod
    def arrived(self) -> list[Arrived]:
        """All that came to the other side, in order."""

    @abstractmethod
    def down(self) -> None:
        """From now on the other side does not answer."""

    @abstractmethod
    def up(self) -> None:
        """It answers again."""

    def test_what_is_taken_has_arrived(self) -> None:
        assert self.make().send(PLAIN).why == ""
        (got,) = self.arrived()
        for words in (PLAIN.title, "train: exit code 1", "second line", PLAIN.command):
            assert words in got.words

    @pytest.mark.parametrize("words", ["50 % & <b>more</b> é 漢", "*stars* _lines_ {{x}}", "the end"])
    def test_words_arrive_as_they_are(self, words: str) -> None:
        assert self.make().send(ODD).why == ""
        (got,) = self.arrived()
        assert words in got.words
        assert "$(touch pwned)" in got.words
        assert all("eve" not in who for who in got.receivers)

    def test_the_same_notice_can_be_told_from_another(self) -> None:
        notifier = self.make()
        for notice in (PLAIN, ODD, PLAIN):
            assert notifier.send(notice).why == ""
        first, other, again = (one.mark for one in self.arrived())
        assert first == again != other

    def test_what_is_down_is_told_in_the_receipt_and_tried_again(self) -> None:
        notifier = self.make()
        self.down()
        receipt = notifier.send(PLAIN)
        assert receipt.why
        assert not receipt.is_final
        assert self.arrived() == []
        self.up()
        assert notifier.send(PLAIN).why == ""
        assert len(self.arrived()) == 1

    def test_no_secret_is_told(self) -> None:
        notifier = self.make()
        self.down()
        assert SECRET not in repr(notifier.send(PLAIN))

    def test_it_may_be_called_from_another_thread(self) -> None:
        notifier = self.make()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(notifier.send, PLAIN).result().why == ""
        assert len(self.arrived()) == 1
