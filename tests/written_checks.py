"""Checks of all forms, written by the rules of docs/gates.md, for tests of whatever reads or tells them."""

from hypothesis import strategies as st

from headway.core.check import COSTS, Check, Form, Op
from headway.core.metric import PARAMETERS, WORDS, words_of

OWN = ("profit", "harm")

METRICS = st.sampled_from([*WORDS, *(parameter.such_as for parameter in PARAMETERS.values()), *COSTS, *OWN])
NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\"'(),"), min_size=1, max_size=12)


def quoted(name: str) -> str:
    return f'"{name}"'


@st.composite
def checks(draw: st.DrawFn) -> Check:
    """A check that means something, and its text by the rules."""
    form: Form = draw(st.sampled_from(["value", "difference", "ratio", "disagreement", "gap", "gap-ratio"]))
    metric = "disagreement" if form == "disagreement" else draw(METRICS)
    if form.startswith("gap") and metric in COSTS:
        metric = "f1"
    if form in {"ratio", "gap-ratio"} and words_of(metric).lowest < 0:
        metric = "profit"
    op: Op = draw(st.sampled_from([">=", ">", "<=", "<", "within"]))
    # Between 0.05 and 0.95 every form's values can lie on either side.
    limit = draw(st.floats(0.05, 0.95))
    tolerance = draw(st.floats(0.001, 0.04)) if op == "within" else draw(st.sampled_from([0.0, 0.01]))
    columns = draw(st.lists(NAMES, max_size=3, unique=True))
    by = columns.pop() if form.startswith("gap") and columns else "sex" if form.startswith("gap") else ""
    each = () if metric in COSTS or "sex" in columns else tuple(columns)
    side = {
        "value": f"new.{metric}",
        "difference": f"new.{metric} - old.{metric}",
        "ratio": f"new.{metric} / old.{metric}",
        "disagreement": "disagreement(new, old)",
        "gap": f"gap(new.{metric} by {quoted(by)})",
        "gap-ratio": f"ratio(new.{metric} by {by})",
    }[form]
    reach = f" {draw(st.sampled_from(['+/-', '±']))} {tolerance}" if tolerance else ""
    slices = f" for each {', '.join(draw(st.sampled_from([name, quoted(name)])) for name in each)}" if each else ""
    text = f"{side} {op} {limit}{reach}{slices}"
    return Check(text=text, metric=metric, form=form, op=op, limit=limit, tolerance=tolerance, each=each, by=by)
