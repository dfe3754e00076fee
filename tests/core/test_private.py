"""Values of private columns are told nowhere: not in rows, not in sentences, not in a profile."""

import msgspec
import pytest

from headway.core import validation as v
from headway.core.findings import (
    Moved,
    finding_of_moves,
    finding_of_number,
    finding_of_rows,
    not_applicable,
    unmeasured,
)
from headway.core.private import of_profile, of_verdict
from headway.core.profile import ColumnProfile, Counted, Histogram, Profile
from headway.core.profile_words import remarks

SECRET = "ann@example.com"
ROW = v.Example(row=3, file="a.csv", line=4, values={"email": SECRET, "age": "41"})


def of(asks: v.Ask, *columns: str) -> v.DataCheck:
    return v.DataCheck(asks=asks, columns=columns or ("email",), at="columns.email.x")


MOVED = Moved(column="email", distance=0.4, is_told=True, p=1e-9, new=(SECRET, "bob@example.com"))

FINDINGS = {
    "rows": finding_of_rows(of(v.Matches("x+")), 1, 9, examples=[ROW]),
    "rows of several columns": finding_of_rows(of(v.IsUnique(), "age", "email"), 1, 9, examples=[ROW]),
    "rows that may": finding_of_rows(
        v.DataCheck(asks=v.IsPlain(), columns=("email",), tolerance=v.Tolerance(share=0.5)), 1, 9, examples=[ROW]
    ),
    "rows of the whole table": finding_of_rows(
        v.DataCheck(asks=v.RowHolds("age > 50"), at="checks[0]"), 1, 9, examples=[ROW]
    ),
    "most": finding_of_number(of(v.Varies(most=0.5)), 0.9, 9, of=SECRET),
    "rarest": finding_of_number(of(v.IsBalanced(least=0.2)), 0.1, 9, of=SECRET),
    "new": finding_of_moves(of(v.NoShift()), [MOVED], 100, 100),
    "new of all": finding_of_moves(v.DataCheck(asks=v.NoShift()), [MOVED], 100, 100),
    "not new enough": finding_of_moves(of(v.NoShift()), [msgspec.structs.replace(MOVED, is_told=False)], 100, 100),
    "least": finding_of_number(of(v.Statistic(of="min", minimum=5.0)), 4.125, 9),
    "cannot be read": unmeasured(of(v.IsDate("%Y")), f"{SECRET!r} is no time"),
}


@pytest.mark.parametrize("finding", FINDINGS.values(), ids=FINDINGS)
def test_no_value_is_told(finding: v.Finding) -> None:
    verdict = v.conclude([finding], 9)
    was = msgspec.json.encode(verdict).decode()
    assert SECRET in was or "4.125" in was
    shown = of_verdict(verdict, {"email"})
    told = msgspec.json.encode(shown).decode()
    assert SECRET not in told
    assert "bob" not in told
    assert "4.125" not in told
    (found,) = shown.findings
    # What it says of the data stays, and so does what is to be done.
    assert (found.outcome, found.n_bad, found.n_rows, found.remedy) == (
        finding.outcome, finding.n_bad, finding.n_rows, finding.remedy,
    )  # fmt: skip
    assert found.why.startswith(finding.why.partition(": ")[0])
    assert shown.why == verdict.why
    assert of_verdict(shown, {"email"}) == shown


def test_what_is_not_private_is_told_as_ever() -> None:
    about_age = finding_of_rows(of(v.InRange(minimum=50), "age"), 1, 9, examples=[ROW])
    never = not_applicable(of(v.NoShift(), "email"), "there is no reference yet")
    verdict = v.conclude([about_age, never], 9)
    assert of_verdict(verdict, ()) == verdict
    found, same = of_verdict(verdict, {"email"}).findings
    assert found.why == about_age.why
    assert found.examples[0].values == {"email": "•••", "age": "41"}
    assert same == never
    missing = v.Example(row=1, values={"email": None})
    empty = finding_of_rows(of(v.NotNull()), 1, 9, examples=[missing])
    assert of_verdict(v.conclude([empty], 9), {"email"}).findings == (empty,)


def test_a_profile_says_how_many_and_never_which() -> None:
    email = ColumnProfile(
        name="email",
        kind="string",
        stored_as="",
        n_rows=9,
        n_null=1,
        n_distinct=8,
        minimum=SECRET,
        maximum="zoe@example.com",
        top=(Counted(value=SECRET, count=1),),
        patterns=(Counted(value="aaa@aaaaaaa.aaa", count=8),),
        n_misfit=1,
        misfits=(Counted(value="zoe", count=1),),
    )
    pay = ColumnProfile(
        name="pay", kind="number", stored_as="", n_rows=9, n_distinct=1, minimum=4.125, maximum=4.125, mean=4.125,
        std=0.0, quantiles={"0.5": 4.125}, histogram=Histogram(edges=(4.125, 5.0), counts=(9,)),
    )  # fmt: skip
    profile = Profile(n_rows=9, columns=(email, pay, msgspec.structs.replace(pay, name="age")))
    shown = of_profile(profile, {"email", "pay"})
    told = msgspec.json.encode(shown.columns[:2]).decode()
    assert not [one for one in ("ann", "zoe", "aaa", "4.125") if one in told]
    assert (shown.columns[0].n_null, shown.columns[0].n_distinct) == (1, 8)
    assert remarks(shown.columns[0])[0] == "1 not of its kind: •••"
    assert remarks(shown.columns[0])[-1] == "its values are private: •••"
    assert shown.columns[2] == profile.columns[2]
    assert of_profile(shown, {"email", "pay"}) == shown
