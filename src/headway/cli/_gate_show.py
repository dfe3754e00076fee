"""`headway gate show`: a gate's verdict, drawn. Neighbour: `cli/gate` hands it what was typed."""

import argparse
import os
import sys

from headway.cli import print_json
from headway.config import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.gate_kept import GateView
    from headway.ports import Blobs
    from headway.wiring import Parts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument(
        "what", nargs="?", metavar="RUN|DIGEST", help="a run's number, or 8 digits of a verdict (default: newest run)"
    )
    parser.add_argument("--step", metavar="STEP", help="the gate of that run, where it has several")
    parser.add_argument("--html", metavar="FILE", help="write a page that stands alone")
    parser.add_argument("--svg", metavar="FILE", help="write the picture alone")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Find it and show it."""
    from headway import wiring

    with wiring.look(settings) as parts:
        view = _found(args, parts)
        if args.json:
            _print(view, parts.blobs)
    base = args.folder or os.getcwd()
    _write(args, view, base)
    if not (args.json or args.html or args.svg):
        _show(view, settings)
    return 0


def _found(args: argparse.Namespace, parts: "Parts") -> "GateView":
    from headway.cli import run_number
    from headway.flows import gate_show

    text: str | None = args.what
    is_number = text is None or text == "latest" or (text.isdecimal() and len(text) < gate_show.LEAST)
    if is_number:
        number = None if text in (None, "latest") else run_number(text, parts.log)
        return gate_show.of_run(number, args.step, log=parts.log, blobs=parts.blobs)
    if len(text or "") < gate_show.LEAST or set(text or "") - set("0123456789abcdef"):
        # Says what a run is called.
        run_number(text, parts.log)
    return gate_show.of_digest(text or "", log=parts.log, blobs=parts.blobs)


def _print(view: "GateView", blobs: "Blobs") -> None:
    import msgspec

    # As it was kept, so that what only a later headway reads is there, too.
    record = msgspec.json.decode(blobs.get(view.digest))
    print_json({"run": view.run, "step": view.step, "digest": view.digest, "asked": view.asked, "record": record})


def _write(args: argparse.Namespace, view: "GateView", base: str) -> None:
    from headway.codec.page_gate import page_of, svg_of
    from headway.flows.page import write_page

    written = []
    if args.html:
        called = f"run {view.run}" if view.run is not None else view.digest[:12]
        write_page(os.path.join(base, args.html), page_of(view, called=called))
        written.append(args.html)
    if args.svg:
        write_page(os.path.join(base, args.svg), [svg_of(view.kept.verdict)])
        written.append(args.svg)
    if written and not args.json:
        from headway.core.gate_kept import headline

        print(headline(view))
        print(f"wrote {' and '.join(written)}")


def _show(view: "GateView", settings: Settings) -> None:
    from headway.terminal import gates
    from headway.terminal.out import Out
    from headway.terminal.paint import paint_for

    # What is not looked at on a screen is read in a log or a mail.
    columns = Out(sys.stdout).size()[0] if sys.stdout.isatty() else 120
    print("\n".join(gates.shown(view, columns=max(columns, 30), paint=paint_for(sys.stdout, settings.environ))))
