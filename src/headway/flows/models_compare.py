"""Two versions side by side: looked up in the log and the store, and Git asked what their commits differ in.

`core/model_compare` says what differs. Reads; records nothing.
"""

from contextlib import suppress

from headway.core.lineage import VersionLineage
from headway.core.model_compare import Comparison, compare
from headway.errors import BlobDamaged, BlobMissing
from headway.flows import gate_show, git, lineage
from headway.ports import Blobs, Log


def compared(log: Log, blobs: Blobs, folder: str, a: str, b: str, *, full: bool = False) -> Comparison:
    """Version `b` beside version `a`; `full` asks Git for the lines that differ, not for the files alone.

    Raises UsageMistaken, NameUnknown.
    """
    return beside(lineage.of_version(log, blobs, a), lineage.of_version(log, blobs, b), blobs, folder, full=full)


def beside(one: VersionLineage, other: VersionLineage, blobs: Blobs, folder: str, *, full: bool = False) -> Comparison:
    """The same of two that were followed already."""
    rows = compare(one, other, timed_a=_timed(blobs, one), timed_b=_timed(blobs, other))
    code, why = _code(folder, one, other, full=full)
    return Comparison(a=one.name, b=other.name, rows=rows, code=code, why_no_code=why)


def _timed(blobs: Blobs, of: VersionLineage) -> dict[str, float]:
    """What is known of a version's latency: what registering measured, golden requests (the slowest), its gate."""
    found = {f"row_ms {one.format} (n={one.n_rows}, {one.machine})": one.median_ms for one in of.card.latency}
    for release in of.releases:
        if release.slowest_ms is not None:
            found["slowest_golden_ms"] = release.slowest_ms
    if of.verdict is not None:
        with suppress(BlobMissing, BlobDamaged):
            kept = gate_show.read(of.verdict.digest, blobs)
            for one in kept.verdict.checks if kept is not None else ():
                if one.check.metric.startswith("latency") and one.check.form == "value" and one.evidence is not None:
                    found[one.check.metric] = one.evidence.estimate
    return found


def _code(folder: str, a: VersionLineage, b: VersionLineage, *, full: bool) -> tuple[str | None, str]:
    before, after = a.version.source.commit, b.version.source.commit
    if not before or not after:
        lacking = a.name if not before else b.name
        return None, f"{lacking} was made of no commit"
    if before == after:
        return "", ""
    told = git.difference(folder, before, after, full=full)
    return told, "" if told is not None else "Git does not have both commits here: git fetch"
