"""How an endpoint's predictions are to be logged: as a person writes it, and as everything below is told it.

Does not know what is logged: `prediction_log` does.
"""

from hashlib import blake2b
from typing import Any

from msgspec import Struct

from headway.core.keyed import Key, duration, names, read_keys, share, size
from headway.core.problem import Problem

DAY_S = 86400.0


class Recording(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How an endpoint's predictions are logged.

    `is_on`: at all. `share` (0..1) of the requests, chosen by their id: the same id is always in or always out. Columns
    in `leave_out` are not written down, of those in `hashed` only a keyed hash is. Segments are deleted when all of one
    is older than `keep_s`, and the oldest when there are more than `keep_bytes`.
    """

    is_on: bool = True
    share: float = 1.0
    leave_out: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    # A quarter: labels, bakes and comparisons with last month fit in; longer is for who wants it and has the disk.
    keep_s: float = 90 * DAY_S
    keep_bytes: int = 20 * 10**9

    @property
    def redacts(self) -> bool:
        """Whether some column is not written down as it came."""
        return bool(self.leave_out or self.hashed)


def is_chosen(request_id: str, share: float) -> bool:
    """Whether a request is among the `share` (0..1) that is logged; for one id always the same, in every process.

    >>> [sum(is_chosen(f"order-{i}", share) for i in range(1000)) for share in (0.0, 0.1, 1.0)]
    [0, 99, 1000]
    """
    return int.from_bytes(blake2b(request_id.encode(), digest_size=8).digest(), "big") < share * 2.0**64


# Any: the value of `log:` as a person wrote it.
def read_recording(value: Any) -> Recording | list[Problem]:  # noqa: ANN401 (as above)
    """Read `log: false`, `log: true` or `log: {share: 0.1, leave-out: [email], hash: [id], keep: 30d, keep-size: 5GB}`.

    >>> read_recording({"share": 0.1, "keep": "30d"})
    Recording(is_on=True, share=0.1, leave_out=(), hashed=(), keep_s=2592000.0, keep_bytes=20000000000)
    >>> read_recording({"share": 10})[0].problem
    'share: 10 is not it'
    """
    if isinstance(value, bool):
        return Recording(is_on=value)
    read = read_keys(value, KEYS, form=_FORM, of="a log")
    return read if isinstance(read, list) else Recording(**read)


_FORM = "write `log: false`, or a mapping such as `log: {share: 0.1, leave-out: [email]}`"

KEYS = {
    "share": Key("share", share, "write a number from 0 to 1: 0.1 logs every tenth request"),
    "leave-out": Key("leave_out", names, "write a list of columns: [email]"),
    "hash": Key("hashed", names, "write a list of columns: [customer_id]"),
    "keep": Key("keep_s", duration, "write a time: 30d"),
    "keep-size": Key("keep_bytes", size, "write an amount: 5GB"),
}
"""The keys of `log:`, and of `--log` on the command line."""
