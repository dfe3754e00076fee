"""The notifier that only remembers does what all must do."""

from headway.backends import connect
from headway.backends.notifier_memory import MemoryNotifier
from headway.core.courier import Receipt
from headway.ports import Notifier
from headway.testing.notifier_contract import Arrived, NotifierContract


class TestMemoryNotifier(NotifierContract):
    def setup_method(self) -> None:
        made = connect("notifier", "memory:")
        assert isinstance(made, MemoryNotifier)
        self.notifier = made

    def make(self) -> Notifier:
        return self.notifier

    def arrived(self) -> list[Arrived]:
        told = self.notifier.told
        return [Arrived(mark=one.key, words=f"{one.title}\n{one.text}\n{one.command}") for one in told]

    def down(self) -> None:
        self.notifier.trouble = Receipt(why="nobody is there")

    def up(self) -> None:
        self.notifier.trouble = None
