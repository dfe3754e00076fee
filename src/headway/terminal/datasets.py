"""Datasets for people: how pinned paths stand, versions, differences, what a checkout did. Lines, no escape codes."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headway.core.dataset import Dataset, VersionCard
from headway.core.facts import Scalar
from headway.core.ids import SHORT, Artifact
from headway.flows.checkout import Done
from headway.flows.contents import Difference, FileChange, State
from headway.flows.dataset import Added
from headway.flows.verify import Verified
from headway.terminal.tail import clean
from headway.terminal.words import size, table

if TYPE_CHECKING:
    # Tables take a while to import, and few commands need them.
    from headway.tables.changes import TableDiff

MANY = 20
"""Files of one difference that are named; more are counted."""


def added(one: Added) -> list[str]:
    """What `headway data add` did with a path."""
    version = one.version
    name = f"{version.dataset}@{version.version}"
    path = clean(version.artifact.path)
    if one.is_new:
        lines = [f"added {name}: {path}, {amount(version.artifact)}, {version.artifact.digest[:SHORT]}"]
    elif one.wrote:
        lines = [f"{path} is {name}, known before"]
    else:
        lines = [f"{path} is {name} already: nothing changed"]
    return [*lines, *(f"  wrote {clean(file)}" for file in one.wrote)]


def amount(artifact: Artifact) -> str:
    """How much an artifact is."""
    n = artifact.n_files
    files = f"{n:,} file{'s' * (n != 1)}, " if artifact.kind == "tree" else ""
    return files + size(artifact.size_bytes)


def states(found: Sequence[State]) -> list[str]:
    """How pinned paths stand: those that differ, each on a line, and how many do not."""
    rows = [[one.state, clean(one.path), _what(one), _detail(one)] for one in found if _is_worth_a_line(one)]
    n = len(found) - len(rows)
    lines = table(rows)
    if not rows:
        whole = {1: "the one pinned path is", 2: "both pinned paths are"}.get(n, f"all {n} pinned paths are")
        return [f"{whole} unchanged"]
    return [*lines, *([f"{n} more unchanged"] if n else [])]


def _is_worth_a_line(one: State) -> bool:
    return one.state != "unchanged" or not one.is_stored


def _what(one: State) -> str:
    return f"{one.what}@{one.version}" if one.version else one.what


def _detail(one: State) -> str:
    parts = []
    if one.state == "changed" and one.n_added is None:
        parts.append("the store cannot tell what was there")
    elif one.state == "changed" and one.pinned.kind == "tree":
        counts = ((one.n_added, "added"), (one.n_removed, "removed"), (one.n_changed, "changed"))
        parts += [f"{n:,} {word}" for n, word in counts if n]
    if one.state == "missing" and one.is_stored:
        parts.append("headway checkout brings it back")
    if not one.is_stored:
        parts.append("not in the store: headway pull")
    return ", ".join(parts)


def listing(datasets: Mapping[str, Dataset], found: Mapping[str, State]) -> list[str]:
    """Every dataset: its newest version, what is pinned, how it stands. `found` is by dataset."""
    rows = []
    for name in sorted({*datasets, *found}):
        newest = datasets[name].newest if name in datasets else None
        state = found.get(name)
        artifact = newest.artifact if newest is not None else state.pinned if state is not None else None
        if artifact is None:
            continue
        rows.append(
            [
                name,
                str(newest.version) if newest is not None else "-",
                str(state.version or "-") if state is not None else "-",
                amount(artifact),
                clean(artifact.path),
                state.state if state is not None else "not pinned here",
            ]
        )
    return table(rows, heads=["dataset", "newest", "pinned", "size", "path", "state"])


def log(name: str, cards: Sequence[VersionCard], commits: Mapping[str, Sequence[str]]) -> list[str]:
    """A dataset's versions, newest first; `commits` are those that pin each digest."""
    rows = []
    for card in reversed(cards):
        version = card.version
        pinned = list(commits.get(version.artifact.digest, ()))
        more = f" +{len(pinned) - 3}" if len(pinned) > 3 else ""
        notes = [version.note, f"from {version.source}" if version.source else "", "forgotten" * card.is_forgotten]
        rows.append(
            [
                f"{name}@{version.version}",
                when(card.at),
                version.by or "-",
                amount(version.artifact),
                version.artifact.digest[:SHORT],
                (", ".join(pinned[:3]) + more) or "-",
                clean("; ".join(note for note in notes if note)),
            ]
        )
    return table(rows, heads=["version", "added", "by", "size", "digest", "in", "note"])


def differences(found: Sequence[Difference], before: str, after: str) -> list[str]:
    """What differs between two sides: each path with its files."""
    if not found:
        return [f"{before} and {after} are the same"]
    lines = []
    for one in found:
        counts = {word: sum(c.change == word for c in one.files) for word in ("added", "removed", "changed")}
        told = ", ".join(f"{n:,} {word}" for word, n in counts.items() if n)
        lines.append(f"{clean(one.path)}: {told or 'only what kind of thing it is'}")
        if len(one.files) == 1 and not one.files[0].path:
            lines[-1] = f"{clean(one.path)}: {one.files[0].change} ({_sizes(one.files[0])})"
            continue
        rows = [[f"  {c.change}", clean(c.path), _sizes(c)] for c in one.files[:MANY]]
        lines += table(rows)
        if len(one.files) > MANY:
            lines.append(f"  and {len(one.files) - MANY:,} more (--json has all)")
    return lines


def rows(path: str, diff: "TableDiff") -> list[str]:
    """How a table's rows and columns differ, with a few of the rows."""
    keys = ", ".join(diff.key)
    counts = f"{diff.n_added:,} added, {diff.n_removed:,} removed, {diff.n_changed:,} changed"
    lines = [f"{clean(path)}, rows by {clean(keys)}: {counts} ({diff.n_rows_old:,} -> {diff.n_rows_new:,})"]
    lines += [f"  column {clean(name)} added" for name in diff.columns_added]
    lines += [f"  column {clean(name)} removed" for name in diff.columns_removed]
    lines += [f"  column {clean(c.name)}: {c.old} -> {c.new}" for c in diff.columns_retyped]
    lines += [f"  column {clean(c.name)}: another value in {c.n_rows:,} rows" for c in diff.columns_changed]
    named = [(word, _values(row)) for word, some in (("added", diff.added), ("removed", diff.removed)) for row in some]
    for row in diff.changed:
        cells = ", ".join(f"{cell.name}: {cell.old} -> {cell.new}" for cell in row.cells)
        named.append(("changed", f"{_values(row.key)}  {cells}"))
    return [*lines, *(f"  {word:<8} {clean(text)}" for word, text in named[:MANY])]


def _values(row: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _sizes(change: FileChange) -> str:
    sides = (change.before_bytes, change.after_bytes)
    return " -> ".join(size(n) for n in sides if n is not None)


def checked_out(done: Sequence[Done]) -> list[str]:
    """What a checkout did, path by path."""
    changed = [one for one in done if one.happened != "kept"]
    n = len(done) - len(changed)
    lines = table([[one.happened, clean(one.path), one.what] for one in changed])
    if not changed:
        return [f"nothing to do: {n} path{'s' * (n != 1)} as pinned"]
    return [*lines, *([f"{n} more as pinned already"] if n else [])]


def verified(done: Verified) -> list[str]:
    """What was read and found."""
    lines = []
    for fault in done.faults:
        more = f" and {len(fault.of) - 3} more" if len(fault.of) > 3 else ""
        healed = ", healed from the remote" if fault.is_healed else ""
        lines.append(f"{fault.what}: {fault.digest[:SHORT]}, {clean(', '.join(fault.of[:3]))}{more}{healed}")
    left = sum(not fault.is_healed for fault in done.faults)
    n = done.n_elsewhere
    if n:
        s, are = ("", "is") if n == 1 else ("s", "are")
        lines.append(f"{n} artifact{s} that only other commits pin {are} not here: headway fetch COMMIT brings such")
    if not done.faults:
        return [*lines, f"{done.n_checked:,} blobs read: all are what they should be"]
    trouble = [f"the remote could not help: {clean(done.trouble)}"] if done.trouble else []
    return [*lines, *trouble, f"{done.n_checked:,} blobs read; {left} cannot be had"]


def when(at: float) -> str:
    """A moment, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
