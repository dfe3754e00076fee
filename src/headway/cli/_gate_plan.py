"""`headway gate plan`: what it takes to decide checks. Neighbour: `cli/gate` hands it what was typed."""

import argparse

from headway.cli import print_json
from headway.config import Settings
from headway.errors import UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.core.check import Check
    from headway.core.gate_plan import GatePlan
    from headway.core.gate_ways import Assumed

_ASKS, _PASSES = 32, 1
"""A gate's own budget, where the file says none."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("checks", nargs="+", metavar="CHECK", help="as in a gate's checks; +/- TOL says how exactly")
    parser.add_argument("--rows", metavar="N", type=int, help="also say what so many rows can see")
    parser.add_argument(
        "--differ", metavar="SHARE", type=float, default=0.1, help="of rows on which the models differ (default: 0.1)"
    )
    parser.add_argument("--positives", metavar="SHARE", type=float, help="of rows that are positive")
    parser.add_argument("--spread", metavar="S", type=float, help="standard deviation of one row's part (losses, auc)")
    parser.add_argument("--confidence", metavar="C", type=float, default=0.95, help="the gate's (default: 0.95)")
    parser.add_argument(
        "--power", metavar="P", type=float, default=0.8, help="how surely a good model passes (default: 0.8)"
    )
    parser.add_argument("--asks", metavar="H", type=int, help=f"of one holdout, in all (default: {_ASKS})")
    parser.add_argument("--passes", metavar="B", type=int, help=f"after which its budget ends (default: {_PASSES})")
    parser.add_argument(
        "--method",
        choices=("exact", "hoeffding", "bennett"),
        default="exact",
        help="exact: the gate's own; else the bounds of ease.ml/ci",
    )
    parser.add_argument("--own", metavar="NAME", action="append", default=[], help="a metric of your own (repeatable)")
    parser.add_argument("--holdout", metavar="DATA", help="a file or digest: how many asks it has left, and its rows")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Reckon and tell."""
    from headway.core.check_grammar import parse_checks

    _see_possible(args)
    checks = parse_checks(args.checks, own=tuple(args.own))
    made = _plan(checks, _assumed(args)) if args.holdout is None else _plan_with_holdout(checks, args, settings)
    if args.json:
        print_json(made)
        return 0
    from headway.core.gate_plan_words import tell

    print("\n".join(tell(made)))
    return 0


def _plan(checks: "Sequence[Check]", assumed: "Assumed") -> "GatePlan":
    from headway.core.gate_plan import plan
    from headway.stats.reuse import confidence_of_ask

    return plan(checks, assumed, confidence_of_ask=confidence_of_ask(assumed.confidence, assumed.asks, assumed.passes))


def _plan_with_holdout(checks: "Sequence[Check]", args: argparse.Namespace, settings: Settings) -> "GatePlan":
    """By the budget that was given for it first, and for as many rows as it has."""
    import os

    from msgspec.structs import replace

    from headway import wiring
    from headway.core.gate_plan import HoldoutUse, plan
    from headway.core.holdout import Reuse
    from headway.flows import gate_plan

    with wiring.look(settings) as parts:
        found = gate_plan.find(parts.project(), args.holdout, base=args.folder or os.getcwd())
    ledger, assumed = found.ledger, _assumed(args)
    if assumed.rows is None:
        assumed = replace(assumed, rows=gate_plan.n_rows(found))
    budget = Reuse(budget=ledger.budget or assumed.asks, passes=ledger.passes or assumed.passes)
    use = HoldoutUse(
        path=found.name, n_asks=ledger.n_asks, n_passes=ledger.n_passes, budget=ledger.budget, left=ledger.left
    )
    return plan(
        checks,
        replace(assumed, asks=budget.budget, passes=budget.passes),
        confidence_of_ask=ledger.confidence(assumed.confidence, budget),
        holdout=use,
    )


def _assumed(args: argparse.Namespace) -> "Assumed":
    from headway.core.gate_ways import Assumed

    return Assumed(
        confidence=args.confidence,
        power=args.power,
        asks=_ASKS if args.asks is None else args.asks,
        passes=_PASSES if args.passes is None else args.passes,
        method=args.method,
        rows=args.rows,
        differ=args.differ,
        spread=args.spread,
        positives=args.positives,
    )


def _see_possible(args: argparse.Namespace) -> None:
    """Raises UsageMistaken for a number that cannot be meant."""
    allowed = {
        "rows": (args.rows is None or args.rows >= 1, "give a number from 1"),
        "differ": (0 <= args.differ <= 1, "give a share from 0 to 1, such as 0.1 for a tenth"),
        "positives": (args.positives is None or 0 < args.positives < 1, "give a share between 0 and 1, such as 0.2"),
        "spread": (args.spread is None or 0 < args.spread < float("inf"), "give a number above 0"),
        "confidence": (0.5 < args.confidence < 1, "give a number between 0.5 and 1, such as 0.95"),
        "power": (0.5 <= args.power < 1, "give a number from 0.5 to 1, such as 0.8"),
        "asks": (args.asks is None or args.asks >= 1, "give a number from 1"),
        "passes": (args.passes is None or args.passes >= 1, "give a number from 1"),
    }
    for name, (is_possible, remedy) in allowed.items():
        if not is_possible:
            given = getattr(args, name)
            raise UsageMistaken(f"--{name} cannot be {given:g}", at="headway gate plan", remedy=remedy)
