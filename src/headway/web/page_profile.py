"""What a version of data is like, column by column, alone or beside another version of it."""

from msgspec import Struct

from headway.codec.histogram_svg import beside
from headway.codec.page_profile import histogram
from headway.core.dataset import Dataset, VersionCard
from headway.core.private import of_profile
from headway.core.profile import ColumnProfile, Counted, Profile
from headway.core.profile_words import distinct, empty, measured, percent_shortly, remarks, told
from headway.core.telling import HIDDEN
from headway.errors import NameUnknown
from headway.flows import dataset
from headway.web.pages import Asked, Page

MOST = 200
"""Columns of the page; `headway profile --html` shows more."""

TOP = 6
"""Frequent values of a column."""


OFTEN = 0.05
"""The share of rows from which on a number's frequent values are told."""


class ValueShown(Struct, frozen=True, kw_only=True):
    """A frequent value, the share of the rows that have it, and that in the other version; empty where not known."""

    value: str
    share: str
    before: str = ""


class ColumnShown(Struct, frozen=True, kw_only=True):
    """One column; `change` says what became of it since the other version, `before` is that of each fact."""

    name: str
    kind: str
    facts: tuple[tuple[str, str, str], ...]
    remarks: tuple[str, ...]
    change: str = ""
    svg: str = ""
    top: tuple[ValueShown, ...] = ()


class ProfilePage(Struct, frozen=True, kw_only=True):
    """A version, beside the version `other` if one was asked for; `changes` are those of columns and rows in words."""

    name: str
    version: int
    n_rows: int
    columns: tuple[ColumnShown, ...]
    n_columns: int
    versions: tuple[int, ...]
    other: int | None = None
    other_rows: int | None = None
    changes: tuple[str, ...] = ()


def view(asked: Asked) -> ProfilePage:
    """The profile of a version of a dataset."""
    found = dataset.known(asked.parts.log, asked.path["name"])
    card, profile = _profile(asked, found, asked.path["version"])
    version = card.version.version
    text = asked.query.get("beside", "")
    other = None if not text else _profile(asked, found, text)
    before = None if other is None else other[1]
    known = [one.version.version for one in found.cards if not one.is_forgotten and one.version.version != version]
    return ProfilePage(
        name=found.name,
        version=version,
        n_rows=profile.n_rows,
        columns=tuple(_column(one, before) for one in profile.columns[:MOST]),
        n_columns=len(profile.columns),
        versions=tuple(known[:-11:-1]),
        other=None if other is None else other[0].version.version,
        other_rows=None if before is None else before.n_rows,
        changes=() if before is None else tuple(_changes(profile, before)),
    )


def _profile(asked: Asked, found: Dataset, number: str) -> tuple[VersionCard, Profile]:
    card = next((one for one in found.cards if str(one.version.version) == number), None)
    if card is None or card.is_forgotten:
        why = f"{found.name} has no version {number!r}" if card is None else f"{found.name}@{number} was forgotten"
        raise NameUnknown(why, at="version", remedy=f"the page of {found.name} lists its versions")
    folder = asked.site.settings.folder
    profile = asked.site.profiles.of(folder, f"{found.name}@{number}", card.version.artifact)
    return card, of_profile(profile, asked.site.settings.private)


def _changes(now: Profile, before: Profile) -> list[str]:
    """What became of the table: rows, and columns that are new, gone or of another kind."""
    more = now.n_rows - before.n_rows
    told_of = [f"{now.n_rows:,} rows, " + (f"{more:+,}" if more else "as many as before")]
    names, were = {one.name for one in now.columns}, {one.name for one in before.columns}
    for words, found in (("new", names - were), ("gone", were - names)):
        if found:
            told_of.append(f"{words}: {', '.join(sorted(found))}")
    for one in now.columns:
        was = before.column(one.name)
        if was is not None and was.kind != one.kind:
            told_of.append(f"{one.name} was {was.kind}, is {one.kind}")
    return told_of


def _column(one: ColumnProfile, before: Profile | None) -> ColumnShown:
    was = None if before is None else before.column(one.name)
    change = ""
    if before is not None:
        change = "new" if was is None else "" if was.kind == one.kind else f"was {was.kind}"
    facts, old = _facts(one), {} if was is None else dict(_facts(was))
    return ColumnShown(
        name=one.name,
        kind=one.kind,
        facts=tuple((name, value, old.get(name, "")) for name, value in facts),
        remarks=tuple(remarks(one)),
        change=change,
        svg=_svg(one, was),
        top=tuple(_value(one, value, was) for value in one.top[:TOP]) if _has_frequent(one) else (),
    )


def _has_frequent(one: ColumnProfile) -> bool:
    """Of numbers that are nearly all different none stands out."""
    return bool(one.top) and (one.histogram is None or one.top[0].count > OFTEN * one.n_values)


def _facts(one: ColumnProfile) -> list[tuple[str, str]]:
    found = [("empty", empty(one)), ("distinct", distinct(one))]
    if one.is_private:
        found += [("least", HIDDEN), ("greatest", HIDDEN)]
    elif one.minimum is not None:
        found += [("least", told(one, one.minimum)), ("greatest", told(one, one.maximum))]
    if one.mean is not None:
        found.append(("mean", measured(one, one.mean)))
    return found


def _svg(one: ColumnProfile, was: ColumnProfile | None) -> str:
    if one.histogram is None or one.n_distinct < 2:
        return ""
    if was is not None and was.kind == one.kind and was.histogram is not None:
        return beside(one, one.histogram, was.histogram)
    return histogram(one, one.histogram)


def _value(one: ColumnProfile, found: Counted, was: ColumnProfile | None) -> ValueShown:
    share = percent_shortly(found.count / max(one.n_values, 1))
    before = ""
    if was is not None:
        n = next((other.count for other in was.top if other.value == found.value), None)
        # What was not among the frequent ones may have been there.
        before = "-" if n is None else percent_shortly(n / max(was.n_values, 1))
    return ValueShown(value=told(one, found.value)[:80], share=share, before=before)


PAGES = (
    Page(
        path="/data/{name}/{version}/profile",
        asks={
            "beside": "another version",
        },
        template="profile.html",
        section="/data",
        gives=ProfilePage,
        view=view,
        title=lambda found: f"{found.name}@{found.version}: profile",
        command=lambda found: f"headway profile {found.name}@{found.version}",
        refresh_s=0,
    ),
)
