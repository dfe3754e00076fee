"""What is told of columns whose values nobody is to see (`data.private` in headway.toml): how many, never which.

A verdict or a profile goes in as it was measured and comes out as it may be shown, wherever that is: on a terminal, in
a report, on a page, as JSON. What comes out is the same when it goes in again. Columns are meant by their names, those
that a schema writes are no secret, and neither are counts and shares.
"""

from collections.abc import Collection

from msgspec.structs import replace

from headway.core import validation as v
from headway.core.finding_words import rule
from headway.core.findings import finding_of_number, finding_of_rows
from headway.core.profile import ColumnProfile, Profile
from headway.core.telling import HIDDEN

_VALUES = ("min", "max", "median")
"""Statistics that are the value of a row."""


def of_verdict(verdict: v.DataVerdict, private: Collection[str]) -> v.DataVerdict:
    """The verdict without values of those columns; `why` of a finding that may name one is told anew.

    >>> check = v.DataCheck(asks=v.OneOf(values=("a", "b")), columns=("email",))
    >>> told = finding_of_rows(check, 1, 9, examples=[v.Example(row=3, values={"email": "ann@example.com"})])
    >>> found = of_verdict(v.conclude([told], 9), ["email"]).findings[0]
    >>> found.why.partition("; ")[2], found.examples[0].values
    ('such as `•••` in row 3', {'email': '•••'})
    """
    if not private:
        return verdict
    return replace(verdict, findings=tuple(_of_finding(one, private) for one in verdict.findings))


def _of_finding(one: v.Finding, private: Collection[str]) -> v.Finding:
    check = one.check
    examples = tuple(replace(row, values=_of_row(row.values, private)) for row in one.examples)
    # Without columns of its own a check is about all of them.
    if check.columns and not any(name in private for name in check.columns) and examples == one.examples:
        return one
    is_value = isinstance(check.asks, v.Statistic) and check.asks.of in _VALUES
    return replace(one, examples=examples, value=None if is_value else one.value, why=_why(one, examples))


def _why(one: v.Finding, examples: tuple[v.Example, ...]) -> str:
    """What came of a check, without the values that its sentence may name."""
    found = ""
    match one.check.asks:
        case _ if one.outcome == "error":
            # What a reader or a converter says quotes what it stumbled over.
            found = "could not be measured, and what was in the way is private"
        case _ if one.n_bad:
            return finding_of_rows(one.check, one.n_bad, one.n_rows, examples=examples, method=one.method).why
        case v.Varies() | v.IsBalanced() if one.value is not None:
            return finding_of_number(one.check, one.value, one.n_rows, of=HIDDEN).why
        case v.NoShift() | v.NoSkew() if " being new" in one.why:
            found = "it is" if one.outcome == "pass" else "it is not, and which values are new is private"
        case v.Statistic(of=of) if of in _VALUES and one.outcome != "not-applicable":
            found = f"it is {HIDDEN}"
        case _:
            pass
    return f"{rule(one.check)}: {found}" if found else one.why


def _of_row(values: dict[str, str | None], private: Collection[str]) -> dict[str, str | None]:
    return {name: HIDDEN if name in private and text is not None else text for name, text in values.items()}


def of_profile(profile: Profile, private: Collection[str]) -> Profile:
    """The profile without values of those columns: no ends, means, quantiles, histogram, frequent values or patterns.

    >>> one = ColumnProfile(name="email", kind="string", stored_as="", n_rows=9, n_distinct=9, minimum="ann@there")
    >>> found = of_profile(Profile(n_rows=9, columns=(one,)), ["email"]).columns[0]
    >>> found.minimum, found.n_distinct, found.is_private
    (None, 9, True)
    """
    if not private:
        return profile
    columns = tuple(_of_column(one) if one.name in private else one for one in profile.columns)
    return replace(profile, columns=columns)


def _of_column(one: ColumnProfile) -> ColumnProfile:
    return replace(
        one,
        minimum=None,
        maximum=None,
        mean=None,
        std=None,
        quantiles={},
        histogram=None,
        top=(),
        patterns=(),
        misfits=(),
        is_private=True,
    )
