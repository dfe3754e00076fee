"""`headway models verify`: versions read whole. Neighbour: `cli/models` hands it what was typed."""

import argparse
import os

from headway.cli import print_json
from headway.config import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.facts import ModelRegistered
    from headway.flows.models_trust import Verified
    from headway.ports import Log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("refs", metavar="MODEL[@VERSION]", nargs="*", help="these alone (default: every version)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Verify them; 1 when something speaks against using one."""
    from headway import wiring
    from headway.flows import models_trust

    copies = os.path.join(settings.home, "models")
    with wiring.look(settings) as parts:
        found = [
            models_trust.verify(parts.log, parts.blobs, made, parts.trust, copies=copies)
            for made in _meant(parts.log, args.refs)
        ]
    if args.json:
        print_json([{"is_right": one.is_right, **_plain(one)} for one in found])
    else:
        print("\n".join(line for one in found for line in _told(one)) or "no model is registered yet")
    return 0 if all(one.is_right for one in found) else 1


def _meant(log: "Log", refs: list[str]) -> "list[ModelRegistered]":
    from headway.flows import registry

    found: list[ModelRegistered] = []
    for ref in refs or registry.names(log):
        if "@" in ref:
            found.append(registry.named(log, ref)[1])
        else:
            found += registry.known(log, ref).versions
    return found


def _plain(one: "Verified") -> dict[str, object]:
    import msgspec

    plain: dict[str, object] = msgspec.to_builtins(one)
    return plain


def _told(one: "Verified") -> list[str]:
    if one.is_right:
        return [f"{one.version} is whole ({one.n_files} file{'s' * (one.n_files != 1)}), {one.said}"]
    lines = [f"{one.version} must not be used:"]
    lines += [f"  {fault.path} is {fault.what} in {fault.where} ({fault.digest[:12]})" for fault in one.faults]
    return lines + ([f"  {one.trouble}"] if one.trouble else [])
