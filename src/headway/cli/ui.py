"""Look at the project in a browser: the loop, runs, models and releases, as pages that change nothing.

Group: The loop

    headway ui                           print a link that lets one browser in, and open it
    headway ui --port 8765 --no-browser
    headway ui --at http://127.0.0.1:8765   a link into the pages that `headway up` answers with there
    headway ui --token ann --role viewer    a token for ann, and the line of headway.toml that knows it

Only this machine can reach the pages. They end with Ctrl-C. docs/web.md says who else can be let in.
"""

import argparse
import signal
import sys
import threading
from types import FrameType

from headway.cli import print_json
from headway.config import Settings
from headway.core.access import ROLES
from headway.errors import UsageMistaken


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="pipelines of the project (default: pipeline.yaml)")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="where to listen (default: any free port)")
    parser.add_argument("--no-browser", action="store_true", help="print the link only")
    parser.add_argument("--at", metavar="URL", help="a link into the pages of the `headway up` that answers there")
    parser.add_argument("--token", metavar="NAME", help="make a token for somebody, and end")
    parser.add_argument("--role", choices=ROLES, default="viewer", help="what that token may do (default: %(default)s)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve until Ctrl-C."""
    from headway.flows import made
    from headway.flows.surroundings import user
    from headway.web import passes
    from headway.web.serve import Server
    from headway.web.site import Site

    if args.token is not None:
        return _token(args, passes.new_token())
    if args.at is not None:
        return _link(args, settings)
    files = tuple(args.files) or ("pipeline.yaml",)
    steps = made.of_project(settings.home, keeps=False)
    site = Site(settings=settings, files=files, reading=True, tell=_tell, steps=steps)
    server = Server(site, port=args.port)
    url = server.start()
    link = server.link(user(settings.environ), "viewer")
    try:
        if args.json:
            print_json({"url": url, "link": link})
        else:
            print(
                f"pages of {site.name}: {link}\nthe link lets one browser in, once; Ctrl-C ends the pages", flush=True
            )
        if not args.no_browser and _has_screen(settings):
            import webbrowser

            webbrowser.open(link)
        _wait()
    finally:
        server.stop()
    return 0


def _link(args: argparse.Namespace, settings: Settings) -> int:
    """Print a link into pages that another process serves, which keeps the same keys. Raises UsageMistaken."""
    import time

    from headway.flows.surroundings import user
    from headway.web.passes import KeptKeys, link

    if not args.at.startswith(("http://", "https://")):
        remedy = "write it as `headway up` says it: http://127.0.0.1:8765"
        raise UsageMistaken(f"{args.at!r} is no address of pages", at="--at", remedy=remedy)
    name = user(settings.environ)
    # Whoever can read the project's keys can do everything to it as well.
    made = link(KeptKeys(settings.home), args.at.rstrip("/"), name=name, role="admin", now=time.time())
    if args.json:
        print_json({"url": args.at, "link": made})
    else:
        print(made)
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(f"headway ui: {line}\n")


def _has_screen(settings: Settings) -> bool:
    """Whether a browser would have a window: one that draws in this terminal would hide the link."""
    return sys.stdout.isatty() and (
        sys.platform == "darwin" or bool(settings.environ.get("DISPLAY") or settings.environ.get("WAYLAND_DISPLAY"))
    )


def _wait() -> None:
    """Until Ctrl-C, or a word to end."""
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {one: signal.signal(one, end) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        ended.wait()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _token(args: argparse.Namespace, token: str) -> int:
    """Print a new token once, and what headway.toml has of it. Raises UsageMistaken."""
    from headway.core.ids import is_name
    from headway.web import passes

    if not is_name(args.token):
        raise UsageMistaken(f"{args.token!r} cannot be a name", at="--token", remedy="use letters, digits and -_.")
    digest = passes.digest_of(token)
    if args.json:
        print_json({"token": token, "name": args.token, "role": args.role, "digest": digest})
        return 0
    print(f"token: {token}")
    print("it is not shown again; give it to nobody else. In headway.toml, under [web]:")
    print(f'tokens = [{{name = "{args.token}", role = "{args.role}", digest = "{digest}"}}]')
    return 0
