"""What makes a step's result the same again: the parts of its cache key, and why a step must run.

Pure; digests of files come from `flows/store`. A step that declares nothing has no key and always runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from blake3 import blake3

from headway.core.facts import KeyPart
from headway.core.pipeline import StepSpec

_encode = msgspec.json.Encoder(order="sorted").encode

SEED = "HEADWAY_SEED"
"""The variable that carries a run's seed to its steps. A part of the key, where it is not 0, as one of their `env`."""

MISSING = "missing"
"""Stands for the digest of an input that is not there."""


def parts_of(
    spec: StepSpec,
    *,
    command: str,
    env: Mapping[str, str],
    with_values: Mapping[str, Any],
    inputs: Mapping[str, str],
    params: Mapping[str, Any],
) -> tuple[KeyPart, ...]:
    """Everything the result of a step depends on, as far as it was declared.

    `command` is the shell's text (or the step type's name), `env` the declared variables and the values of the
    expressions in the command, `inputs` path to digest, `params` dotted name to value. Order is stable.
    """
    parts = [KeyPart(kind="command", name=spec.shell or "", value=command)]
    parts += [KeyPart(kind="in", name=path, value=digest) for path, digest in sorted(inputs.items())]
    parts += [KeyPart(kind="params", name=name, value=_text(value)) for name, value in sorted(params.items())]
    parts += [KeyPart(kind="env", name=name, value=value) for name, value in sorted(env.items())]
    parts += [KeyPart(kind="matrix", name=name, value=_text(value)) for name, value in spec.matrix.items()]
    parts += [KeyPart(kind="with", name=name, value=_text(value)) for name, value in sorted(with_values.items())]
    parts += [KeyPart(kind="out", name=name, value=path) for name, path in sorted(spec.outputs.items())]
    return tuple(parts)


def cache_key(parts: Sequence[KeyPart]) -> str:
    """The name of all parts together: two steps with equal keys make equal results, if what they declare is true."""
    return blake3(_encode(parts)).hexdigest()


def differences(now: Sequence[KeyPart], before: Sequence[KeyPart]) -> list[str]:
    """What changed between two keys, in the user's words, most telling first.

    >>> a = KeyPart(kind="params", name="train.lr", value="0.1")
    >>> differences([KeyPart(kind="params", name="train.lr", value="0.2")], [a])
    ['params train.lr: 0.1 -> 0.2']
    """
    (was_command, old), (command, new) = _apart(before), _apart(now)
    lines = ["the command changed"] if command != was_command else []
    was_seed, seed = old.pop(("env", SEED), "0"), new.pop(("env", SEED), "0")
    if seed != was_seed:
        lines.append(f"the seed: {was_seed} -> {seed}")
    for (kind, name), value in new.items():
        was = old.get((kind, name))
        if was == value:
            continue
        if was is None:
            lines.append(f"{kind} {name} is new")
        elif kind == "in":
            lines.append(f"{name} is missing" if value == MISSING else f"{name} changed")
        elif kind == "env":
            # Its parts are digests, for values may be secret: they tell a person nothing.
            lines.append(f"env {name} changed")
        else:
            lines.append(f"{kind} {name}: {_short(was)} -> {_short(value)}")
    lines += [f"{kind} {name} is gone" for kind, name in old if (kind, name) not in new]
    return lines


def _apart(parts: Sequence[KeyPart]) -> tuple[set[tuple[str, str]], dict[tuple[str, str], str]]:
    """The command with its shell, and everything else by kind and name."""
    rest: dict[tuple[str, str], str] = {(p.kind, p.name): p.value for p in parts if p.kind != "command"}
    return {(p.name, p.value) for p in parts if p.kind == "command"}, rest


def always_runs(spec: StepSpec) -> str:
    """Why a step without a key runs every time."""
    if spec.uses is not None:
        return "a built-in step always runs"
    return "declares no `in` or `out`: always runs"


def why(now: Sequence[KeyPart], before: Sequence[KeyPart] | None) -> str:
    """One line: why a step with these parts runs, given those of its last good run (None: there was none)."""
    if before is None:
        return "it never passed before"
    changed = differences(now, before)
    if not changed:
        return "its last result is no longer in the log or the store"
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return ", ".join(changed[:3]) + more


def params_of(names: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of dotted names; a name of a group gives all that is in it, a missing one gives None.

    >>> params_of(["train", "seed"], {"train": {"lr": 0.1, "depth": 3}})
    {'train.lr': 0.1, 'train.depth': 3, 'seed': None}
    """
    found: dict[str, Any] = {}
    for name in names:
        value: Any = values
        for word in name.split("."):
            value = value.get(word) if isinstance(value, dict) else None
        found |= flat(value, name + ".") if isinstance(value, dict) else {name: value}
    return found


def flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested params under dotted names.

    >>> flat({"train": {"lr": 0.1}, "seed": 1})
    {'train.lr': 0.1, 'seed': 1}
    """
    found: dict[str, Any] = {}
    for name, value in params.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def overridden(params: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The params with dotted names replaced; groups on the way are made. The arguments stay as they are.

    >>> overridden({"train": {"lr": 0.1, "depth": 3}}, {"train.lr": 0.2})
    {'train': {'lr': 0.2, 'depth': 3}}
    """
    result = dict(params)
    for name, value in overrides.items():
        *groups, last = name.split(".")
        at = result
        for word in groups:
            below = at.get(word)
            at[word] = dict(below) if isinstance(below, dict) else {}
            at = at[word]
        at[last] = value
    return result


# Any: a user's own parameter.
def _text(value: Any) -> str:  # noqa: ANN401 (as above)
    """A value as JSON, a text as itself; but in quotes where it could be taken for another value: `0.1` and `"0.1"`."""
    if not isinstance(value, str):
        return _encode(value).decode()
    return _encode(value).decode() if _reads_as_json(value) else value


def _reads_as_json(text: str) -> bool:
    if text[:1] not in _BEGINS_JSON:
        return False
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


_BEGINS_JSON = frozenset(' \t\r\n"-0123456789[{tfn')


def _short(value: str) -> str:
    return value if len(value) <= 24 else value[:21] + "..."
