"""Facts of a data set: stream `dataset/<name>`."""

from headway.core.facts.shared import FactBase
from headway.core.ids import Artifact


class DatasetVersioned(FactBase, frozen=True, kw_only=True):
    """A snapshot of a path was taken; it never changes. `version` counts from 1.

    `source` is the URL or the SQL that it was taken from, without passwords; empty for what lay in the workspace.
    """

    dataset: str
    version: int
    artifact: Artifact
    source: str = ""
    by: str = ""
    note: str = ""


class DatasetForgotten(FactBase, frozen=True, kw_only=True):
    """Nobody needs this version any more: `headway gc` may take what only it holds."""

    dataset: str
    version: int
    by: str = ""
    why: str = ""
