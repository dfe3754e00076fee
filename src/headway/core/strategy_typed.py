"""A strategy as a person types it: `canary: 10% for 10000 requests, promote, bake: 14d`, and the options beside it.

Says which options a command takes, and makes of what was typed the values that `core/strategy_grammar` reads, which
judges them. All faults are told at once, each with its option and its column. Knows no parser of command lines.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct

from headway.core.problem import Problem
from headway.core.strategy import Strategy
from headway.core.strategy_grammar import read_strategy
from headway.errors import Fault, FileFaulty, UsageMistaken

STAGES_WITH_MORE = ("shadow", "canary", "pause", "bake")

# A comma before a digit belongs to a number: `20,000 requests`.
_BETWEEN = re.compile(r"\s*,\s*(?![\s\d])")
_WORD = re.compile(r"[A-Za-z-]+")


class Option(Struct, frozen=True, kw_only=True):
    """An option that says one key of a strategy; `is_many`: it may be given several times."""

    flag: str
    key: str
    metavar: str
    help: str
    is_many: bool = False

    @property
    def name(self) -> str:
        """What the option's value is called where options are names.

        >>> OPTIONS[4].name
        'slower_than'
        """
        return self.flag.removeprefix("--").replace("-", "_")


OPTIONS = (
    Option(
        flag="--strategy", key="strategy", metavar="STAGES",
        help='how traffic moves: "canary: 10%% for 10000 requests, promote, bake: 14d", blue-green or all-at-once',
    ),
    Option(
        flag="--rollback", key="rollback", metavar="CAUSES",
        help="what rolls back: not-ready,errors,latency,quality,predictions (default: not-ready,errors)",
    ),
    Option(
        flag="--check", key="checks", metavar="CHECK", is_many=True,
        help='must be proved before it is promoted: "new.errors / old.errors <= 1.5" (repeatable)',
    ),
    Option(flag="--unsure", key="unsure", metavar="WORD", help="where that is not proved: hold, rollback or promote"),
    Option(flag="--slower-than", key="slower-than", metavar="TIME", help="what makes a request slow: 200ms"),
    Option(
        flag="--off-by", key="wrong", metavar="N",
        help="a number is wrong that is further off its label: 0.5, or 5%% of it (default: by as much as it is off)",
    ),
    Option(
        flag="--false-rollbacks", key="false-rollbacks", metavar="SHARE",
        help="how often a version that breaks nothing may be rolled back (default: 0.05)",
    ),
    Option(flag="--harm", key="harm", metavar="N", help="so many extra failed requests at most"),
    Option(flag="--burst", key="burst", metavar="N", help="so many bad answers may have one cause (default: 1)"),
    Option(flag="--slices", key="slices", metavar="N", help="slices told apart for each check (default: 20)"),
)  # fmt: skip
"""What may be said of a strategy on a command line, in the order of the help."""

_BY_KEY = {option.key: option for option in OPTIONS}


class _Piece(NamedTuple):
    """One stage of the text, and where in it it stands, from 0."""

    text: str
    at: int


def stages_typed(text: str) -> str | list[object]:
    """The value of `strategy:` that a line of text says; a word that is no list stays a word.

    >>> stages_typed("canary: 10% for 10,000 requests, promote")
    [{'canary': '10% for 10,000 requests'}, 'promote']
    >>> stages_typed("blue-green")
    'blue-green'
    """
    pieces = _pieces(text)
    if len(pieces) == 1 and pieces[0].text != "promote" and _WORD.fullmatch(pieces[0].text):
        return pieces[0].text
    return [_stage(piece.text) for piece in pieces]


def read_typed(given: Mapping[str, str | Sequence[str]], *, at: str, beside: Mapping[str, object] = {}) -> Strategy:
    """The strategy that was typed: `given` by key, over what stands `beside` it in a file.

    Raises UsageMistaken for one fault and FileFaulty for several, each told with its option; `at` is the command.
    """
    values = {**beside, **{key: _value(key, said) for key, said in given.items()}}
    strategy, problems = read_strategy(values)
    problems = (*_without_colon(given), *problems)
    if strategy is not None and not problems:
        return strategy
    faults = [_fault(problem, given) for problem in problems]
    if len(faults) == 1:
        raise UsageMistaken(faults[0].problem, at=f"{at}: {faults[0].where}", remedy=faults[0].remedy)
    raise FileFaulty(
        f"the strategy has {len(faults)} faults",
        at=at,
        remedy="mend what is listed; docs/rollouts.md says what a strategy can be",
        faults=tuple(faults),
    )


def _pieces(text: str) -> list[_Piece]:
    bare = text.strip()
    before = len(text) - len(text.lstrip())
    # As it is written in a file of YAML, on one line.
    if bare.startswith("[") and bare.endswith("]"):
        bare, before = bare[1:-1], before + 1
    starts = [0, *(found.end() for found in _BETWEEN.finditer(bare))]
    ends = [*(found.start() for found in _BETWEEN.finditer(bare)), len(bare)]
    return [_Piece(bare[i:j].strip(), before + i) for i, j in zip(starts, ends, strict=True)]


def _stage(text: str) -> object:
    word, _, said = text.partition(":")
    if not said and _lacks_colon(text):
        word, _, said = text.partition(" ")
    return {word.strip(): said.strip()} if said else text


def _lacks_colon(text: str) -> bool:
    return ":" not in text and text.partition(" ")[0] in STAGES_WITH_MORE and " " in text


def _without_colon(given: Mapping[str, str | Sequence[str]]) -> Iterable[Problem]:
    """Stages that are meant, but lack the colon that YAML would need."""
    for i, piece in enumerate(_pieces(str(given.get("strategy", "")))):
        if _lacks_colon(piece.text):
            word, _, said = piece.text.partition(" ")
            problem = f"a colon is missing behind `{word}`"
            yield Problem(path=("strategy", i), problem=problem, remedy=f"write `{word}: {said.strip()}`")


def _value(key: str, said: str | Sequence[str]) -> object:
    if not isinstance(said, str):
        return list(said)
    if key == "strategy":
        return stages_typed(said)
    if key == "rollback":
        return [name for name in (part.strip() for part in said.split(",")) if name]
    if key == "wrong":
        # As a file has it, which the remedy for what cannot be read says, too.
        return said if said.split()[:1] == ["off"] else f"off by {said}"
    # What is no number is refused by whoever reads it, as it stands there.
    for kind in (int, float):
        with suppress(ValueError):
            return kind(said)
    return said


def _fault(problem: Problem, given: Mapping[str, str | Sequence[str]]) -> Fault:
    """A fault at the option that says it; at the key of a file where none does."""
    key = str(problem.path[0])
    option = _BY_KEY.get(key)
    if option is None or key not in given:
        return Fault(problem.problem, where=".".join(map(str, problem.path)), remedy=problem.remedy)
    said = given[key]
    i = next((part for part in problem.path[1:] if isinstance(part, int)), None)
    text = said if isinstance(said, str) else said[i or 0]
    column = max(problem.offset, 0)
    if key == "strategy" and i is not None and i < len(_pieces(text)):
        column = _pieces(text)[i].at
    elif key == "rollback" and i is not None:
        column = max(text.find([part for part in text.split(",") if part.strip()][i].strip()), 0)
    return Fault(problem.problem, where=option.flag, excerpt=text, column=column + 1, remedy=problem.remedy)
