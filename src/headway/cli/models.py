"""List, compare, tag, sign, export and import models; follow what led to a version and what came of it.

Group: Data and models

    headway models                              every model: newest version, aliases
    headway models show churn                   its versions, and how its aliases moved
    headway models show churn@3                 one version: run, code, data, params, metrics, verdict
    headway models compare churn@2 churn@3      metrics, params, data, packages, size, latency, code
    headway models lineage training@7           every version and endpoint that this data became part of
    headway models convert churn@3 --data rows.csv   as ONNX, once it is proven to answer alike
    headway models alias churn@3 champion       churn@champion means churn@3 from now on
    headway models verify                       every version: files against digests, signatures against keys

`headway models WORD --help` tells all that one takes.

Exit codes: 0 done, 1 a version does not verify or was not proven as ONNX, 2 no such model or version, or a word out of
place.
"""

import argparse
from importlib import import_module

from headway.cli import common
from headway.config import Settings

_WORDS = {
    "list": "Every model: newest version, aliases.",
    "show": "A model with its versions, or one version with all that led to it.",
    "compare": "Two versions side by side: metrics, params, data, packages, size, latency, code.",
    "convert": "Convert a version to ONNX, proven on rows of yours to answer alike; it serves by that from then on.",
    "alias": "Let an alias mean a version from now on.",
    "tag": "Set tags of a version, or take them off.",
    "export": "Write all there is of a version into a folder or a .zip, for another project.",
    "import": "Take a version from such a folder or .zip; nothing in it is run.",
    "verify": "Read versions whole: their files against their digests, their signatures against trusted keys.",
    "keys": "Whose signatures are trusted here, and your own key; make one.",
    "sign": "Vouch for a version with your own key.",
    "lineage": "Where a version came from and serves; or what data became part of.",
}
"""What each does; that of `show` is in `_models_show.py`, found by its name as a command is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: a word, and behind it options of its own; without one it lists."""
    parser.set_defaults(run=_listed)
    below = parser.add_subparsers(metavar="WORD", title="words")
    for word, text in _WORDS.items():
        module = import_module(f"headway.cli._models_{word}")
        its = below.add_parser(
            word, help=text, description=text, formatter_class=parser.formatter_class, allow_abbrev=False
        )
        module.add_arguments(its)
        # What stands before the word is not forgotten behind it.
        common(its, default=argparse.SUPPRESS)
        its.set_defaults(run=module.run)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do what its word says."""
    return int(args.run(args, settings))


def _listed(args: argparse.Namespace, settings: Settings) -> int:
    return int(import_module("headway.cli._models_list").run(args, settings))
