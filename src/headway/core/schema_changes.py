"""What changed from one schema of data to another, in the user's words, the most harmful first.

Two schemas are compared by the checks they mean, so that another spelling of the same is no change. `looser`: data pass
that did not, which nobody will notice; `stricter`: data may be stopped that passed; `other`: both, or neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from headway.core import validation as v
from headway.core.finding_words import rule, tolerated
from headway.core.schema import Schema
from headway.core.schema_checks import checks_of
from headway.core.telling import listed, quoted

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


def _by_place(schema: Schema) -> dict[tuple[object, ...], v.DataCheck]:
    return {_place(check): check for check in checks_of(schema)}


_LISTS = ("checks", "foreign-keys", "not-in")
"""Sections whose entries are told apart by what they say, for one more in front moves all others."""


def _place(check: v.DataCheck) -> tuple[object, ...]:
    """What makes a check the same in two schemas: what is asked, of which column, where in which section."""
    asked = check.asks
    section, _, behind = check.at.partition("[")
    if section in _LISTS:
        return (section, behind.partition("]")[2], check.name or repr(asked), *check.columns)
    if isinstance(asked, v.Statistic):
        # A quantile may be written 0.95 or 95%.
        return ("statistic", asked.of, asked.at, *check.columns)
    if check.at == "columns":
        return (check.at, check.severity)
    columns = check.columns if check.at == "key" and isinstance(asked, v.NotNull) else ()
    return (check.at, type(asked), *columns)


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
        told = [tolerated(one.tolerance) or "no row" for one in (old, new)]
        says = f"{rule(new)}: {told[1]} may break it now; before, {told[0]}"
        yield effect, says
    if old.if_there != new.if_there:
        yield (
            ("looser", "stricter")[old.if_there],
            f"asked {'only if the column is there' * new.if_there or 'always'}: {rule(new)}",
        )


def _effect(*, is_looser: bool, is_stricter: bool) -> Effect:
    if is_looser == is_stricter:
        return "other"
    return "looser" if is_looser else "stricter"


# --- what is asked ----------------------------------------------------------------------------------------------------


def _of_asks(old: v.DataCheck, new: v.DataCheck) -> Iterator[tuple[Effect, str]]:
    match old.asks, new.asks:
        case v.OneOf(values=before), v.OneOf(values=after):
            words = (f"{listed(new.columns)} may be", f"{listed(new.columns)} may no longer be")
            yield from _of_members(_values(before), _values(after), words)
        case v.HasColumn(), v.HasColumn():
            for name in sorted(set(old.columns) - set(new.columns)):
                yield "looser", f"the column {name} need no longer be there"
            for name in sorted(set(new.columns) - set(old.columns)):
                yield "stricter", f"the column {name} must be there now"
        case v.NoOthers(), v.NoOthers():
            words = ("there may be a column", "there may no longer be a column")
            yield from _of_members({one: one for one in old.columns}, {one: one for one in new.columns}, words)
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


def _values(values: Sequence[v.Cell]) -> dict[object, str]:
    """Values as they are told; the text `1` is another than the number."""
    return {(isinstance(one, str), one): quoted(one) for one in values}


def _of_members(
    before: Mapping[object, str], after: Mapping[object, str], words: tuple[str, str]
) -> Iterator[tuple[Effect, str]]:
    added = [told for one, told in after.items() if one not in before]
    gone = [told for one, told in before.items() if one not in after]
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
            if one is not None and other is not None and isinstance(one, str) != isinstance(other, str):
                return "other"
            # Both are texts, or neither is.
            if other is None or (one is not None and (other < one) == (sign > 0)):  # type: ignore[operator]
                is_looser = True
            else:
                is_stricter = True
    return _effect(is_looser=is_looser, is_stricter=is_stricter)


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
