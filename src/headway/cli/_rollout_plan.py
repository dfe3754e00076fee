"""`headway rollout plan`: what a strategy's stages can see. Neighbour: `cli/rollout` hands it what was typed."""

import argparse
import sys
import time

from headway.cli import pipeline_of, print_json, project_of
from headway.config import Settings
from headway.core.strategy_typed import OPTIONS, read_typed
from headway.errors import UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.pipeline import StepSpec
    from headway.core.rollout_basis import Forecast, Logged
    from headway.core.strategy import Strategy

_AT = "headway rollout plan"

_SUPPOSED = {
    "--rate": ("per_minute", "N", "requests a minute"),
    "--errors": ("errors", "SHARE", "of the champion's requests that fail: 1%% or 0.01"),
    "--slow": ("slow", "SHARE", "of them that are slower than --slower-than"),
    "--wrong": ("wrong", "SHARE", "of the champion's answers that are wrong"),
    "--differ": ("differ", "SHARE", "of requests that the versions answer otherwise"),
    "--labelled": ("labelled", "SHARE", "of requests that get a label in time"),
}
"""What may be supposed: the number it is in the plan, and how it is told."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("step", nargs="?", metavar="STEP", help="the pipeline's deploy step (default: the only one)")
    parser.add_argument("--file", default="pipeline.yaml", metavar="FILE", help="the pipeline (default: %(default)s)")
    for option in OPTIONS:
        action = "append" if option.is_many else "store"
        parser.add_argument(option.flag, action=action, metavar=option.metavar, help=option.help)
    parser.add_argument(
        "--endpoint", metavar="NAME", help="suppose what its prediction log tells (default: the step's)"
    )
    for flag, (_, metavar, text) in _SUPPOSED.items():
        parser.add_argument(flag, metavar=metavar, help=text)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Reckon and tell."""
    from headway.terminal.working import Working

    with Working(settings.environ, "reckoning what each stage sees", quiet=args.json):
        forecast = _forecast(args, settings)
    if args.json:
        print_json(forecast)
        return 0
    from headway.core.rollout_basis import told
    from headway.terminal.out import Out
    from headway.terminal.rollouts import wrapped

    # What is not looked at on a screen is read in a log or a mail.
    columns = Out(sys.stdout).size()[0] if sys.stdout.isatty() else 120
    print("\n".join(wrapped(told(forecast), max(columns, 30))))
    return 0


def _forecast(args: argparse.Namespace, settings: Settings) -> "Forecast":
    from headway.core.rollout_basis import Forecast, basis_of
    from headway.core.rollout_plan import plan_rollout
    from headway.flows.rollout_plan import endpoint_of

    given = _given(args)
    step = _step(args, settings)
    strategy = _strategy(args, step)
    endpoint = args.endpoint or ("" if step is None else endpoint_of(step))
    basis = basis_of(given, _logged(endpoint, strategy, settings) if endpoint else None)
    return Forecast(
        strategy=strategy,
        basis=basis,
        plan=plan_rollout(strategy, basis.supposed),
        step="" if step is None else step.id,
        endpoint=endpoint,
    )


def _step(args: argparse.Namespace, settings: Settings) -> "StepSpec | None":
    """The step that is meant; none where a strategy is typed and no step is named."""
    from headway.core.facts import RunOptions
    from headway.flows.rollout_plan import deploy_step

    if args.strategy and args.step is None:
        return None
    settings, file = project_of(args, settings)
    return deploy_step(pipeline_of(settings, file, RunOptions(), keep=False), args.step)


def _strategy(args: argparse.Namespace, step: "StepSpec | None") -> "Strategy":
    from headway.flows.rollout_plan import strategy_of

    typed = {option.key: said for option in OPTIONS if (said := getattr(args, option.name)) is not None}
    # A strategy of one's own is not judged by the checks of another.
    beside = {} if step is None or args.strategy else strategy_of(step)
    return read_typed(typed, at=_AT, beside=beside)


def _logged(endpoint: str, strategy: "Strategy", settings: Settings) -> "Logged | None":
    """What the endpoint's log tells; nothing where it never served."""
    from headway import wiring
    from headway.flows.rollout import read
    from headway.flows.rollout_plan import logged

    with wiring.look(settings) as parts:
        serving = read(parts.log, endpoint).serving
    return logged(
        settings.home,
        endpoint,
        version=None if serving is None else serving.version,
        slower_than_s=strategy.slower_than_s,
        now=time.time(),
    )


def _given(args: argparse.Namespace) -> dict[str, float]:
    """What was typed of the traffic. Raises UsageMistaken."""
    given = {}
    for flag, (name, metavar, _) in _SUPPOSED.items():
        said = getattr(args, flag.removeprefix("--"))
        if said is not None:
            given[name] = _rate(said) if metavar == "N" else _share(flag, said)
    return given


def _rate(said: str) -> float:
    number = _number(said)
    if not 0 < number <= 1e9:
        raise UsageMistaken(f"--rate cannot be {said}", at=_AT, remedy="give the requests in a minute, such as 1200")
    return number


def _share(flag: str, said: str) -> float:
    share = _number(said.removesuffix("%")) / (100 if said.endswith("%") else 1)
    if not 0 < share < 1 and not (share == 1 and flag == "--labelled"):
        remedy = "give a share between 0 and 100%, such as 1% or 0.01"
        raise UsageMistaken(f"{flag} cannot be {said}", at=_AT, remedy=remedy)
    return share


def _number(said: str) -> float:
    """NaN, which fits nowhere, for what is no number."""
    try:
        return float(said)
    except ValueError:
        return float("nan")
