"""Facts of the truth that arrives in files: stream `labels/<endpoint>`."""

from headway.core.facts.shared import FactBase
from headway.core.ids import Digest


class LabelsAdded(FactBase, frozen=True, kw_only=True):
    """A file's labels were taken into the prediction log of an endpoint; `key` names its content and columns.

    `source` is its path as it was given. Of its labels `n_new` are of rows that had none, `n_corrected` replace another
    one, `n_known` were there already, and `n_older` say less than what is known since. `size_bytes` and `mtime_ns` are
    what it was like, so that it need not be read again.
    """

    endpoint: str
    source: str
    digest: Digest
    key: str
    n_new: int = 0
    n_corrected: int = 0
    n_known: int = 0
    n_older: int = 0
    size_bytes: int = 0
    mtime_ns: int = 0
    by: str = ""
