"""Promise: `headway --help` and `headway --version` take at most twice what `python -c pass` takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pipelines
from harness import Contender, Stage, once, options, take_turns
from projects.tool import Tool
from report import Promise, Sample

PYTHON = Tool(name="python", help=("python", "-c", "pass"), version=("python", "-c", "pass"))


def main() -> int:
    promise = __doc__ or ""
    stage = Stage(name="startup", promise=promise, options=options(promise, n=15))
    scratch = stage.scratch()

    def contender(tool: Tool) -> Contender:
        place = stage.place(tool, scratch / tool.name, scratch / f"{tool.name}-home")
        place.folder.mkdir()
        place.home.mkdir()

        def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
            for case, command in (("--help", tool.help), ("--version", tool.version)):
                if command is not None:
                    yield case, once(command, place, stage.options.timeout_s)

        return Contender(tool=tool.name, play=play)

    tools = stage.bring([PYTHON, *pipelines.chosen(stage.options)])
    series = take_turns([contender(tool) for tool in tools], stage.options.n)
    bounds = [
        Promise(
            text=f"`headway {case}` takes at most 2 x `python -c pass`",
            of=("headway", case),
            over=("python", case),
            most=2.0,
        )
        for case in ("--help", "--version")
    ]
    return stage.finish(series, bounds)


if __name__ == "__main__":
    sys.exit(main())
