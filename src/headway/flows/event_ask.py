"""Questions to places that may take their time to answer, asked aside, so that nobody else waits for them.

Knows no place. Neighbour: `flows/event_pace` says when to ask.
"""

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Ask(Generic[T]):
    """One question at a time. Owned by one loop; what it asks runs in a thread of its own."""

    __slots__ = ("_answer", "_error", "_thread")

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._answer: list[T] = []
        self._error: BaseException | None = None

    def answer(self, question: Callable[[], T], *, waits: bool) -> list[T]:
        """The answer in a list, or an empty one while it is not there; asks when nothing is being asked.

        With `waits` it is waited for. Raises what the question raised.
        """
        if waits and self._thread is None:
            return [question()]
        if self._thread is None:
            self._answer, self._error = [], None
            # Whoever ends does not wait for an answer that nobody will read.
            self._thread = Thread(target=self._ask, args=(question,), name="headway-ask", daemon=True)
            self._thread.start()
        if waits:
            self._thread.join()
        if self._thread.is_alive():
            return []
        self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._answer

    @property
    def is_asking(self) -> bool:
        """Whether an answer is waited for."""
        return self._thread is not None

    def _ask(self, question: Callable[[], T]) -> None:
        try:
            self._answer = [question()]
        except BaseException as e:  # noqa: BLE001 (whatever it is, it is raised where the answer is taken)
            self._error = e
