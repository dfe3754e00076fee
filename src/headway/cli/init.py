"""Begin a project: an example on real data, or a pipeline.yaml from the scripts that are here.

Group: The loop

    headway init                            look at this repository and propose a pipeline.yaml; asks before writing
    headway init --yes                      write it without asking
    headway init demo --example flights     a whole project on real data in the new folder demo
"""

import argparse
import os
import sys

from headway.cli import print_json
from headway.config import Settings
from headway.errors import Conflict, FileMissing, UsageMistaken
from headway.flows import init
from headway.terminal.found import to_type_first

FILE = "pipeline.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("dir", nargs="?", default=".", metavar="DIR", help="the folder (default: here)")
    parser.add_argument("--example", metavar="NAME", help=f"copy an example: {', '.join(init.examples())}")
    parser.add_argument("--yes", action="store_true", help="write without asking")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Copy or propose."""
    # Not the settings' folder: that is a project around this one, where there is one.
    folder = os.path.abspath(os.path.join(args.folder or "", args.dir))
    if args.example:
        written = init.copy_example(args.example, folder)
        if args.json:
            print_json({"folder": folder, "written": written})
        else:
            print(f"wrote {len(written)} files into {args.dir}: an ordinary repository; README.md tells its story")
            there = "" if folder == os.getcwd() else f"cd {args.dir} && "
            if first := to_type_first(settings.environ):
                print(f"first: {first}    so that your shell finds headway and its python")
            print(f"next: {there}pip install -r requirements.txt && python fetch_data.py && headway run")
        return 0
    return _from_scripts(folder, args)


def _from_scripts(folder: str, args: argparse.Namespace) -> int:
    path = os.path.join(folder, FILE)
    if not os.path.isdir(folder):
        raise FileMissing(f"there is no folder {args.dir}", at="DIR", remedy="make it, or add --example flights")
    if os.path.exists(path):
        raise Conflict("a pipeline.yaml is here already", at=path, remedy="`headway plan` shows what it would do")
    found = init.scripts(folder)
    if not found:
        raise FileMissing(
            "no script here looks like a step (train.py, validate_data.py, tests/, deploy.py, …)",
            at=folder,
            remedy="write pipeline.yaml by hand (docs/pipeline.md), or see one: headway init demo --example flights",
        )
    text = init.propose(found)
    if args.json and not args.yes:
        print_json({"folder": folder, "proposed": text, "written": []})
        return 0
    if not args.yes:
        print(f"{FILE}, from the scripts found here:\n\n{text}")
        if not sys.stdin.isatty():
            raise UsageMistaken("nothing was written: nobody is here to ask", at="init", remedy="add --yes to write it")
        if not _agreed():
            print("nothing was written")
            return 0
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
    if args.json:
        print_json({"folder": folder, "proposed": text, "written": [FILE]})
    else:
        print(f"wrote {FILE} with {len(found)} step{'s' * (len(found) != 1)}; next: headway plan, then headway run")
    return 0


def _agreed() -> bool:
    try:
        return input(f"write {FILE}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
