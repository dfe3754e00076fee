"""What changed from one schema of data to another, in the user's words, the most harmful first.

Two schemas are compared by the checks they mean, so that another spelling of the same is no change. `looser`: data pass
that did not, which nobody will notice; `stricter`: data may be stopped that passed; `other`: both, or neither.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from headway.core import validation as v
from headway.core.finding_words import rule
from headway.core.schema import Schema
from headway.core.schema_checks import checks_of
from headway.core.telling import listed, percent, quoted, rows

Effect = Literal["looser", "stricter", "other"]
"""What a change does to data."""


class Change(Struct, frozen=True, kw_only=True):
    """One change: where it is written, what it does, and a sentence. `severity` is the graver one of the check's."""

    at: str
    effect: Effect
    says: str
    severity: v.Severity = "error"


def changes_between(old: Schema, new: Schema) -> tuple[Change, ...]:
    """All changes, those first that let pass what stopped the training, then what only warned; stricter ones last.

    >>> from headway.core.schema import Column
    >>> before, after = (Schema(columns={"temp": Column(max=bound)}) for bound in (130, 150))
    >>> [(change.effect, change.says) for change in changes_between(before, after)]
    [('looser', 'temp must be at most 150; before, temp must be at most 130')]
    """
    was, now = _by_place(old), _by_place(new)
    found: list[Change] = []
    for place, check in was.items():
        if place not in now:
            found.append(_change(check, "looser", f"no longer asked: {rule(check)}"))
        else:
            found += _changed(check, now[place])
    found += [
        _change(check, "stricter", f"asked now: {rule(check)}") for place, check in now.items() if place not in was
    ]
    effects: Sequence[Effect] = ("looser", "other", "stricter")
    return tuple(sorted(found, key=lambda change: (effects.index(change.effect), change.severity != "error")))


def _by_place(schema: Schema) -> dict[tuple[str, ...], v.DataCheck]:
    """The checks by what makes them the same in two schemas: what is asked, of which column, where in which section.

    Entries of lists are told apart by what they say, for one more in front moves all others.
    """
    found: dict[tuple[str, ...], v.DataCheck] = {}
    for check in checks_of(schema):
        key: tuple[str, ...] = (check.at, type(check.asks).__name__)
        if check.at == "key" and isinstance(check.asks, v.NotNull):
            key = (*key, *check.columns)
        elif check.at == "columns":
            key = (*key, check.severity)
        elif "[" in check.at:
            key = (check.at.partition("[")[0], check.name or repr(check.asks), *check.columns)
        found[key] = check
    return found


def _change(check: v.DataCheck, effect: Effect, says: str) -> Change:
    return Change(at=check.at, effect=effect, says=says, severity=check.severity)


def _changed(old: v.DataCheck, new: v.DataCheck) -> Iterator[Change]:
    gravest: v.Severity = "error" if "error" in (old.severity, new.severity) else "warn"
    for effect, says in (*_of_asks(old, new), *_of_consequence(old, new)):
        yield Change(at=new.at, effect=effect, says=says, severity=gravest)


def _of_consequence(old: v.DataCheck, new: v.DataCheck) -> Iterator[tuple[Effect, str]]:
    if old.severity != new.severity:
        if new.severity == "warn":
            yield "looser", f"only told of now, where it stopped the training: {rule(new)}"
        else:
            yield "stricter", f"stops the training now, where it was only told of: {rule(new)}"
    if old.tolerance != new.tolerance:
        shares, counts = (new.tolerance.share - old.tolerance.share), (new.tolerance.count - old.tolerance.count)
        effect = _effect(is_looser=shares > 0 or counts > 0, is_stricter=shares < 0 or counts < 0)
        says = f"{rule(new)}: {_may(new.tolerance)} may break it now; before, {_may(old.tolerance)}"
        yield effect, says
    if old.if_there != new.if_there:
        yield (
            ("looser", "stricter")[old.if_there],
            f"asked {'only if the column is there' * new.if_there or 'always'}: {rule(new)}",
        )


def _may(tolerance: v.Tolerance) -> str:
    parts = [percent(tolerance.share)] if tolerance.share else []
    parts += [rows(tolerance.count)] if tolerance.count else []
    return " or ".join(parts) or "no row"


def _effect(*, is_looser: bool, is_stricter: bool) -> Effect:
    if is_looser == is_stricter:
        return "other"
    return "looser" if is_looser else "stricter"


# --- what is asked ----------------------------------------------------------------------------------------------------


def _of_asks(old: v.DataCheck, new: v.DataCheck) -> Iterator[tuple[Effect, str]]:
    match old.asks, new.asks:
        case v.OneOf(values=before), v.OneOf(values=after):
            yield from _of_members(
                [quoted(one) for one in before],
                [quoted(one) for one in after],
                (f"{listed(new.columns)} may be", f"{listed(new.columns)} may no longer be"),
            )
        case v.HasColumn(), v.HasColumn():
            for name in sorted(set(old.columns) - set(new.columns)):
                yield "looser", f"the column {name} need no longer be there"
            for name in sorted(set(new.columns) - set(old.columns)):
                yield "stricter", f"the column {name} must be there now"
        case v.NoOthers(), v.NoOthers():
            yield from _of_members(
                old.columns, new.columns, ("there may be a column", "there may no longer be a column")
            )
        case v.IsKind(kind=before), v.IsKind(kind=after) if before != after:
            ranks = {"integer": 0, "decimal": 1, "number": 1}
            widens = ranks.get(before, 2) < ranks.get(after, -1)
            narrows = ranks.get(after, 2) < ranks.get(before, -1)
            yield _effect(is_looser=widens, is_stricter=narrows), _both(old, new)
        case ((v.IsUnique() | v.NoDuplicates()), _) if old.columns != new.columns:
            more, fewer = set(old.columns) < set(new.columns), set(old.columns) > set(new.columns)
            yield _effect(is_looser=more, is_stricter=fewer), _both(old, new)
        case before, after if before != after or old.columns != new.columns or old.name != new.name:
            yield _of_spans(old, new), _both(old, new)


def _both(old: v.DataCheck, new: v.DataCheck) -> str:
    after, before = rule(new), rule(old)
    return f"{after}; before, {before}" if after != before else f"{after}: with other numbers than before"


def _of_members(before: Sequence[str], after: Sequence[str], words: tuple[str, str]) -> Iterator[tuple[Effect, str]]:
    added = [one for one in after if one not in before]
    gone = [one for one in before if one not in after]
    if added:
        yield "looser", f"{words[0]} {listed(added)} too"
    if gone:
        yield "stricter", f"{words[1]} {listed(gone, last='or')}"


def _of_spans(old: v.DataCheck, new: v.DataCheck) -> Effect:
    before, after = _spans(old.asks), _spans(new.asks)
    if not before or old.columns != new.columns or len(before) != len(after):
        return "other"
    is_looser = is_stricter = False
    for (low, high), (new_low, new_high) in zip(before, after, strict=True):
        for one, other, sign in ((low, new_low, 1), (high, new_high, -1)):
            if one == other:
                continue
            if other is None or (one is not None and _is_less(other, one) == (sign > 0)):
                is_looser = True
            else:
                is_stricter = True
    return _effect(is_looser=is_looser, is_stricter=is_stricter)


def _is_less(one: v.Cell, other: v.Cell) -> bool:
    return isinstance(one, str) == isinstance(other, str) and one < other  # type: ignore[operator]  # of one kind


def _spans(asked: v.Ask) -> tuple[tuple[v.Cell | None, v.Cell | None], ...]:  # noqa: PLR0911 (one case a kind)
    """What a check lets through, as spans: the wider one, the looser."""
    match asked:
        case v.InRange() | v.HasLength() | v.RowCount() | v.RowChange() | v.Statistic():
            return ((asked.minimum, asked.maximum),)
        case v.IsFresh(within_s=within_s):
            return ((None, within_s),)
        case v.Varies(most=most) | v.HidesLabel(most=most):
            return ((None, most),)
        case v.IsBalanced(least=least):
            return ((least, None),)
        case v.NoOutlier(times_iqr=times):
            return ((None, times),)
        case v.IsIncreasing(strictly=strictly):
            return ((int(strictly), None),)
        case v.NoShift() | v.NoSkew():
            # Fewer false alarms are bought with fewer true ones.
            return ((None, asked.least), (None, -asked.false_alarms))
    return ()
