"""A file of golden requests: JSON lines, read with all its faults at once."""

import msgspec

from headway.core.golden import GoldenRequest
from headway.errors import Fault, FileFaulty

_decoder = msgspec.json.Decoder(GoldenRequest)


def read_golden(data: bytes, *, file: str) -> tuple[GoldenRequest, ...]:
    """The requests of a file; empty lines and lines that begin with `#` are left out.

    Raises FileFaulty with every fault and its line, also when there is no request at all.
    """
    requests = []
    faults = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        try:
            requests.append(_decoder.decode(line))
        except msgspec.DecodeError as e:
            excerpt = line[:100].decode("utf-8", "replace")
            faults.append(Fault(str(e), line=number, column=1, excerpt=excerpt))
    if not requests and not faults:
        faults.append(Fault("the file holds no request", line=1, column=1))
    if faults:
        n = len(faults)
        raise FileFaulty(
            f"the golden requests have {n} fault{'s' * (n > 1)}",
            at=file,
            remedy='write one JSON object a line: {"inputs": {"column": 1}, "expect": 0}',
            faults=tuple(faults),
        )
    return tuple(requests)
