"""Schemas of TensorFlow Data Validation, `schema.pbtxt`, as `write_schema_text` writes them.

Source of what a field means: tensorflow_metadata/proto/v0/schema.proto.
"""

from collections.abc import Mapping
from typing import Any

from headway.codec.suites.draft import Draft, Suite, mapping, percent_of
from headway.codec.suites.text_format import read_message
from headway.core.schema import Length, Range, Shift
from headway.core.validation import Kind

Fields = Mapping[str, Any]
"""A message: the list of values of each field, if the file is whole."""

_TYPES: dict[str, Kind] = {"INT": "integer", "FLOAT": "number", "BYTES": "string", "STRUCT": "struct"}

_OUT = frozenset(("DEPRECATED", "PLANNED", "ALPHA", "DEBUG_ONLY", "DISABLED"))
"""Stages in which a feature is not looked at."""


def read(text: str, *, path: str) -> Suite:
    """What a schema in text format means. Raises FileFaulty."""
    message = read_message(text, path=path)
    draft = Draft("TensorFlow Data Validation")
    domains = {
        str(domain["name"][-1]): (kind, domain)
        for kind in ("string_domain", "int_domain", "float_domain")
        for domain in map(mapping, message.get(kind, ()))
        if domain.get("name")
    }
    shifted: list[str] = []
    for i, feature in enumerate(map(mapping, message.get("feature", ()))):
        name = str(_one(feature, "name", ""))
        if not name:
            draft.leave("feature", f"feature[{i}]", "it has no name")
            continue
        if _feature(draft, name, feature, domains):
            shifted.append(name)
    # A column that the schema does not have is an anomaly there.
    draft.table["extra_columns"] = "error"
    if shifted:
        draft.table["shift"] = Shift(columns=shifted)
    for constraints in message.get("dataset_constraints", ()):
        _table(draft, mapping(constraints))
    for key in message.keys() - {"feature", "dataset_constraints", "string_domain", "int_domain", "float_domain"}:
        draft.leave(key, key, _ENVIRONMENTS if key == "default_environment" else _UNKNOWN)
    return draft.suite()


_UNKNOWN = "nothing here says it"
_ENVIRONMENTS = "environments are not known, write a schema for each"


# Any (here and below): whatever the message holds.
def _one(message: Fields, key: str, otherwise: Any = None) -> Any:  # noqa: ANN401 (as above)
    """The last value of a field, as protocol buffers have it."""
    return message[key][-1] if message.get(key) else otherwise


def _table(draft: Draft, constraints: Fields) -> None:
    low, high = _one(constraints, "min_examples_count"), _one(constraints, "max_examples_count")
    if low is not None or high is not None:
        draft.table["rows"] = f"{'' if low is None else low}..{'' if high is None else high}"
    change = mapping(_one(constraints, "num_examples_drift_comparator"))
    if change:
        low, high = (_one(change, f"{end}_fraction_threshold") for end in ("min", "max"))
        draft.table["row_change"] = Range(**{key: end for key, end in (("min", low), ("max", high)) if end is not None})
    for key in constraints.keys() - {"min_examples_count", "max_examples_count", "num_examples_drift_comparator"}:
        draft.leave(key, "dataset_constraints", _UNKNOWN)


_SAYS_NOTHING = frozenset(
    ("name", "type", "domain", "distribution_constraints", "deprecated", "lifecycle_stage", "presence")
)
"""Fields that are read with others, or say nothing of the data."""

_WHY_NOT = {
    "drift_comparator": "the shift is asked, but decided by a rate of false alarms, not by this threshold",
    "skew_comparator": "write skew: ENDPOINT, for here it is against a prediction log",
    "in_environment": f"{_ENVIRONMENTS}; the column must be there",
    "not_in_environment": f"{_ENVIRONMENTS}; the column need not be there",
}


def _feature(draft: Draft, name: str, feature: Fields, domains: Mapping[str, tuple[str, Fields]]) -> bool:
    """One feature; gives whether its shift is asked."""
    stage = str(_one(feature, "lifecycle_stage", ""))
    draft.column(name)
    if _one(feature, "deprecated", False) is True or stage in _OUT:
        draft.ask(name, "required", False, what="lifecycle_stage", at=f"feature {name}")
        return False
    kind = _TYPES.get(str(_one(feature, "type", "")))
    if kind is not None:
        draft.ask(name, "type", kind, what="type", at=f"feature {name}")
    with draft.part("presence", f"feature {name}"):
        _presence(draft, name, feature)
    shared = domains.get(str(_one(feature, "domain", "")))
    if shared is not None:
        feature = {**feature, shared[0]: [shared[1]]}
    elif "domain" in feature:
        draft.leave("domain", f"feature {name}", f"there is no domain {_one(feature, 'domain')}")
    for key, values in feature.items():
        if key in _DOMAINS:
            with draft.part(key, f"feature {name}"):
                _DOMAINS[key](draft, name, mapping(values[-1]), feature)
        elif key not in _SAYS_NOTHING:
            draft.leave(key, f"feature {name}", _WHY_NOT.get(key, _UNKNOWN))
    return "drift_comparator" in feature


def _presence(draft: Draft, name: str, feature: Fields) -> None:
    at = f"feature {name}"
    presence = mapping(feature["presence"][-1]) if feature.get("presence") else None
    if presence is None or "not_in_environment" in feature:
        draft.ask(name, "required", False, what="presence", at=at)
    if presence is None:
        return
    least = _one(presence, "min_fraction")
    if least is not None:
        draft.ask(name, "nulls", 0 if least >= 1 else percent_of(1 - least), what="presence", at=at)
    if (_one(presence, "min_count") or 0) > 1:
        draft.leave("min_count", at, "a least number of values is not asked; write rows and nulls")


# --- domains ----------------------------------------------------------------------------------------------------------


def _numbers(draft: Draft, name: str, domain: Fields, _: Fields) -> None:
    at = f"feature {name}"
    for key in ("min", "max"):
        if key in domain:
            bound = _one(domain, key)
            draft.ask(name, key, int(bound) if float(bound).is_integer() else bound, what=key, at=at)
    nan, infinite = _one(domain, "disallow_nan", False), _one(domain, "disallow_inf", False)
    if nan and infinite:
        draft.ask(name, "finite", True, what="disallow_nan", at=at)
    elif nan or infinite:
        draft.leave("disallow_nan" if nan else "disallow_inf", at, "`finite` forbids NaN and infinity together")
    for key in domain.keys() - {"name", "min", "max", "disallow_nan", "disallow_inf", "is_categorical"}:
        draft.leave(key, at, _UNKNOWN)


def _texts(draft: Draft, name: str, domain: Fields, feature: Fields) -> None:
    at = f"feature {name}"
    draft.ask(name, "values", [str(value) for value in domain.get("value", ())], what="string_domain", at=at)
    mass = _one(mapping(_one(feature, "distribution_constraints")), "min_domain_mass", 1.0)
    if mass < 1:
        draft.ask(name, "other", percent_of(1 - mass), what="min_domain_mass", at=at)


def _truths(draft: Draft, name: str, domain: Fields, feature: Fields) -> None:
    words = [_one(domain, "false_value"), _one(domain, "true_value")]
    values = [word for word in words if word is not None]
    kind = str(_one(feature, "type", ""))
    try:
        read_ = [int(word) if kind == "INT" else float(word) if kind == "FLOAT" else word for word in values]
    except ValueError:
        draft.leave("bool_domain", f"feature {name}", "its words are no numbers")
        return
    draft.ask(name, "values", read_ or [0, 1], what="bool_domain", at=f"feature {name}")


def _times(draft: Draft, name: str, domain: Fields, _: Fields) -> None:
    form = _one(domain, "string_format")
    if form is not None:
        draft.ask(name, "date_format", str(form), what="time_domain", at=f"feature {name}")
    for key in domain.keys() - {"string_format", "name"}:
        draft.leave(key, f"feature {name}", _UNKNOWN)


def _counts(draft: Draft, name: str, counted: Fields, _: Fields) -> None:
    low, high = _one(counted, "min", 0), _one(counted, "max")
    if (low, high) == (1, 1):
        return
    draft.columns[name].pop("type", None)
    draft.ask(name, "type", "list", what="value_count", at=f"feature {name}")
    length = Length(min=low) if high is None else Length(min=low, max=high)
    draft.ask(name, "length", length, what="value_count", at=f"feature {name}")


def _shape(draft: Draft, name: str, shape: Fields, _: Fields) -> None:
    sizes = [_one(mapping(dim), "size") for dim in shape.get("dim", ())]
    if sizes not in ([], [1]):
        draft.leave("shape", f"feature {name}", "tensors of several values are not columns of a table")


def _distinct(draft: Draft, name: str, unique: Fields, _: Fields) -> None:
    low, high = _one(unique, "min"), _one(unique, "max")
    span = f"{'' if low is None else low}..{'' if high is None else high}"
    if span != "..":
        draft.ask(name, "distinct", span, what="unique_constraints", at=f"feature {name}")


_DOMAINS = {
    "int_domain": _numbers,
    "float_domain": _numbers,
    "string_domain": _texts,
    "bool_domain": _truths,
    "time_domain": _times,
    "time_of_day_domain": _times,
    "value_count": _counts,
    "shape": _shape,
    "unique_constraints": _distinct,
}
"""What each field of a feature that asks something says here."""
