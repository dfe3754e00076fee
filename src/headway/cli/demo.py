"""Show the whole loop on real data: by hand first, then nobody types a command and it goes round by itself.

Group: The loop

    headway demo         in the new folder ./demo; the model goes on serving afterwards
    headway demo --short        only the part in which somebody types the commands
    headway demo DIR     somewhere else
    headway demo --port 9000    with the model on another port than 8723

Every command it runs is shown and can be typed by hand. It takes five to six minutes, with --short two. Broken off, by
Ctrl-C or otherwise, it ends what it started, the server too.
"""

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module

from headway.config import Settings
from headway.errors import Conflict, ExtraMissing, StepNotStarted, UsageMistaken
from headway.terminal.found import to_type_first

MARK = ".headway-demo"
"""Tells a folder that this command made, and may make anew, from one of a user's own."""

EXAMPLE = "flights"

END_S = 20.0
"""So long a command has to end when the story is broken off."""

PORT = 8723
"""Of the example's endpoint, as its pipeline.yaml has it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("dir", nargs="?", default="demo", metavar="DIR", help="the folder (default: %(default)s)")
    parser.add_argument("--short", action="store_true", help="only the part in which somebody types the commands")
    parser.add_argument("--port", type=int, default=PORT, help="where the model serves (default: %(default)s)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Tell the story."""
    _check_packages()
    if not 0 < args.port < 1 << 16:
        raise UsageMistaken(f"{args.port} is no port", at="--port", remedy="give one from 1 to 65535")
    folder = os.path.abspath(args.dir)
    bin_folder = os.path.dirname(sys.executable)
    environ = {**settings.environ, "PATH": bin_folder + os.pathsep + settings.environ.get("PATH", os.defpath)}
    told = _Story(folder, environ)
    _clear(folder, told, args.port, settings.environ)
    with _broken_off(told, folder):
        _tell(told, args, folder, environ)
    told.end(args.dir, to_type_first(settings.environ))
    return 0


def _tell(told: "_Story", args: argparse.Namespace, folder: str, environ: Mapping[str, str]) -> None:
    told.say("A project on real data: the flights that left New York in 2013. Will one arrive late?")
    told.headway("init", args.dir, "--example", EXAMPLE, at=os.getcwd())
    with open(os.path.join(folder, MARK), "w", encoding="utf-8") as file:
        file.write("made by `headway demo`, which may delete this folder\n")
    _set_port(folder, args.port)
    told.git()
    told.say("It is the end of February. The data arrives, and the loop runs for the first time.")
    told.command("python", "fetch_data.py")
    told.headway("run")
    told.predict()
    told.say("March has passed: new data. The challenger must show on flights neither model saw that it is better.")
    told.command("python", "fetch_data.py")
    told.headway("run")
    told.predict()
    told.say("Somebody tunes the model: ten times the trees. Every test is green. Production stays as it is:")
    told.headway("run", "-p", "train.n_trees=500", expect=3)
    told.say("April is delivered with faults: -999 degrees, and a day that was sent twice. Nothing is trained on that:")
    told.command("python", "fetch_data.py", "--broken")
    told.headway("run", expect=4)
    told.say("April arrives as it should. This time nobody can tell yet, and unsure is not a pass:")
    told.command("python", "fetch_data.py")
    told.headway("run", expect=6)
    told.say("What happened, and what is live:")
    told.headway("runs")
    told.headway("models")
    told.headway("status")
    if not args.short:
        import_module("headway.cli._demo_loop").tell(told, folder, environ, args.port)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which is heard as Ctrl-C is; but nobody said it to the command that is at work."""


@contextmanager
def _broken_off(told: "_Story", folder: str) -> Iterator[None]:
    """End what the story started when it is broken off: by Ctrl-C, by SIGTERM, or with its terminal."""

    def end(*_: object) -> None:
        told.is_ended = True
        if not told.is_starting:
            raise _Terminated

    numbers = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        told.is_ended = False
        if os.path.isdir(os.path.join(folder, ".headway", "endpoints")):
            told.headway("endpoints", "--stop", EXAMPLE)
        raise
    finally:
        for number, was in before.items():
            signal.signal(number, was)


class _Story:
    """Shows a command, runs it, and stops the story when it ends otherwise than told."""

    def __init__(self, folder: str, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        # Ended between the start of a command and knowing its process, nobody would end that.
        self.is_starting = self.is_ended = False
        self._color = sys.stdout.isatty() and "NO_COLOR" not in environ and environ.get("TERM") != "dumb"

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text

    def say(self, text: str) -> None:
        print("\n" + self._styled(text, "1"), flush=True)

    def headway(self, *words: str, at: str | None = None, expect: int = 0) -> None:
        self._do(("headway", *words), (sys.executable, "-m", "headway", *words), at=at, expect=expect)

    def command(self, *words: str, expect: int = 0) -> None:
        self._do(words, words, expect=expect)

    def _do(self, shown: tuple[str, ...], words: tuple[str, ...], *, at: str | None = None, expect: int = 0) -> None:
        import subprocess

        print(self._styled(f"\n$ {' '.join(shown)}", "36"), flush=True)
        self.is_starting = True
        process = subprocess.Popen(words, cwd=at or self._folder, env=self._environ)
        self.is_starting = False
        try:
            if self.is_ended:
                raise _Terminated
            code = process.wait()
        except KeyboardInterrupt as error:
            if isinstance(error, _Terminated):
                process.terminate()
            # A run has its steps end first, which may take five seconds.
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            process.kill()
            raise
        if expect:
            print(self._styled(f"(exit code {code})", "2"), flush=True)
        if code != expect:
            raise StepNotStarted(
                f"the demo stopped: `{' '.join(shown)}` ended with exit code {code}, not {expect}",
                at=self._folder,
                remedy="what it printed says why; `headway show` and `headway logs` there say more",
            )

    def git(self) -> None:
        """Make it a repository, so that each run knows its commit; without Git the story goes on as well."""
        if shutil.which("git") is None:
            return
        import subprocess

        who = ("-c", "user.name=Headway demo", "-c", "user.email=demo@example.invalid")
        for words in (("init", "--quiet"), ("add", "."), (*who, "commit", "--quiet", "-m", "Begin with the example")):
            subprocess.run(("git", *words), cwd=self._folder, env=self._environ, check=False)  # noqa: S607 (PATH's git)

    def predict(self) -> None:
        """Ask the endpoint for a real prediction, over HTTP."""
        from urllib.request import Request, urlopen

        with open(os.path.join(self._folder, "tests", "golden.jsonl"), encoding="utf-8") as file:
            row = json.loads(file.readline())["inputs"]
        url = self._url() + "/predict"
        body = json.dumps(row)
        print(self._styled(f"\n$ curl -s {url} -d '{body}'", "36"))
        request = Request(url, body.encode(), {"Content-Type": "application/json"})  # noqa: S310 (our own endpoint)
        with urlopen(request, timeout=30) as answer:  # noqa: S310 (as above)
            print(answer.read().decode(), flush=True)

    def _url(self) -> str:
        import subprocess

        words = (sys.executable, "-m", "headway", "endpoints", "--json")
        done = subprocess.run(words, cwd=self._folder, env=self._environ, capture_output=True, check=True)
        return str(json.loads(done.stdout)[0]["url"])

    def end(self, shown: str, first: str) -> None:
        print(
            f"\n{self._styled('What to do next', '1')}\n"
            + (f"  {first}    so that your shell finds headway and its python\n" if first else "")
            + f"  cd {shown}\n"
            "  headway show                 the last run\n"
            "  headway diff 1 2             what changed when the better model came\n"
            "  headway rollback flights     put the first model back, checked by the same golden requests\n"
            "  python fetch_data.py         let the next month arrive, then: headway run\n"
            "  headway endpoints --stop flights    end the server when you are done\n"
        )


def _clear(folder: str, told: _Story, port: int, environ: Mapping[str, str]) -> None:
    """Take away an earlier demo, its server first, when the port is free for the new one.

    Raises Conflict for a folder that is somebody's own, and for a port that is taken.
    """
    if not os.path.lexists(folder):
        _check_port(port, environ)
        return
    if not os.path.exists(os.path.join(folder, MARK)):
        raise Conflict(
            f"{folder} is there already, and this command did not make it", at="DIR", remedy="name another folder"
        )
    print(f"taking away the demo of last time in {folder}")
    if os.path.isdir(os.path.join(folder, ".headway", "endpoints")):
        told.headway("endpoints", "--stop", EXAMPLE)
    _check_port(port, environ)
    shutil.rmtree(folder)


def _check_port(port: int, environ: Mapping[str, str]) -> None:
    """Find out now, not after the training. Raises Conflict."""
    try:
        _bound(port)
    except OSError as e:
        free = _bound(0)
        again = f"make demo PORT={free}" if "MAKELEVEL" in environ else f"headway demo --port {free}"
        raise Conflict(
            f"the model cannot be served on port {port}: {(e.strerror or str(e)).lower()}",
            at=f"127.0.0.1:{port}",
            remedy=f"take another: {again}; or free it (`ss -ltnp 'sport = :{port}'` shows who has it)",
        ) from e


def _bound(port: int) -> int:
    """A port of this machine that could be bound (0: any). Raises OSError."""
    import socket

    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
        return int(made.getsockname()[1])


def _set_port(folder: str, port: int) -> None:
    for name in ("pipeline.yaml", "loop.yaml"):
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(f"port: {PORT}", f"port: {port}"))


def _check_packages() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("sklearn", "polars", "pytest", "threadpoolctl") if find_spec(name) is None]
    if missing:
        raise ExtraMissing(
            f"the example trains and tests a scikit-learn model; not installed here: {', '.join(missing)}",
            at="headway demo",
            remedy="pip install 'headway[sklearn]' pytest",
        )
