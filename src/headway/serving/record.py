"""What the server tells the prediction log: one entry for each prediction that a client got, one for each label.

An entry holds the bytes as they came and went. Reading them is the business of whoever writes the log down, which is
another process: the one that answers spends a microsecond on a prediction, and no more.
"""

from typing import Protocol

from msgspec import Struct

from headway.core.prediction_log import Label


class Answered(Struct, frozen=True, array_like=True, gc=False):
    """A prediction that was given to a client. `ms` of the model's time and ours; `at` in UTC seconds.

    `form` says how `request` and `answer` are to be read: `predict` (plain rows as JSON) or `infer` (the Open Inference
    Protocol, where `request_head` and `answer_head` are the bytes of JSON before binary tensors; -1: all of it).
    """

    request_id: str
    at: float
    ms: float
    form: str
    request: bytes
    answer: bytes
    request_head: int = -1
    answer_head: int = -1


class Recorder(Protocol):
    """Where the server sends its entries. Neither method blocks or raises."""

    def note(self, entry: Answered) -> None:
        """Take one prediction, after its answer was sent; it is counted as dropped when there is no room."""

    def label(self, labels: tuple[Label, ...]) -> bool:
        """Take all of these labels; False, and none is taken, when there is no room."""
