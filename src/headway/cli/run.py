"""Run the pipeline: what changed is done, what is known is reused.

Group: The loop

    headway run                        the pipeline of this folder, pipeline.yaml
    headway run -p train.lr=0.1        with a parameter changed for this run
    headway run --from train-model     this step and all after it
    headway run --only test-model      this step alone
    headway run --dry-run              the same as `headway plan`

Exit codes: 0 done, 1 a step failed, 2 usage or a bad file, 3 the gate refused, 4 data validation failed, 5 somebody
else is at work here, 6 unsure, held, 7 the release was rolled back, 130 interrupted (`headway resume` goes on).
"""

import argparse

from msgspec.structs import replace

from headway import wiring
from headway.cli import add_selection, options_of, pipeline_of, project_of, where
from headway.config import Settings
from headway.flows import launch
from headway.terminal import progress, result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_selection(parser)
    parser.add_argument("-j", "--jobs", type=int, metavar="N", help="steps at a time (default: processors)")
    parser.add_argument("--why", action="store_true", help="say of each step why it runs")
    parser.add_argument("--dry-run", action="store_true", help="only say what would run, and why")
    parser.add_argument(
        "--firing", default="", metavar="NAME/N", help="the run of a trigger's firing: begun once, else gone on with"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run it; the exit code says how it went."""
    settings, file = project_of(args, settings)
    options = replace(options_of(args), firing=args.firing)
    if args.dry_run:
        from headway.flows.plan import plan

        with wiring.look(settings) as parts:
            pipeline = pipeline_of(settings, file, options, keep=False)
            result.planned(plan(pipeline, options, where=where(settings), ports=parts), as_json=args.json)
        return 0
    with wiring.open(settings) as parts:
        pipeline = pipeline_of(settings, file, options)
        with progress.choose(settings.environ, why=args.why, quiet=args.json) as watcher:
            ended = launch.launch(pipeline, options, file=file, where=where(settings), parts=parts, watcher=watcher)
    result.ended(ended, as_json=args.json)
    return ended.exit_code
