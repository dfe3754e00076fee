"""Show the whole loop on real data: a model in production, new data, a better model, and two that are not.

Group: The loop

    headway demo         in the new folder ./demo; the model goes on serving afterwards
    headway demo DIR     somewhere else

Every command it runs is shown and can be typed by hand. It takes about a minute.
"""

import argparse
import json
import os
import shutil
import sys

from headway.config import Settings
from headway.errors import Conflict, ExtraMissing, StepNotStarted

MARK = ".headway-demo"
"""Tells a folder that this command made, and may make anew, from one of a user's own."""

EXAMPLE = "flights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("dir", nargs="?", default="demo", metavar="DIR", help="the folder (default: %(default)s)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Tell the story."""
    _check_packages()
    folder = os.path.abspath(args.dir)
    bin_folder = os.path.dirname(sys.executable)
    environ = {**settings.environ, "PATH": bin_folder + os.pathsep + settings.environ.get("PATH", os.defpath)}
    told = _Story(folder, environ)
    _clear(folder, told)
    told.say("A project on real data: the flights that left New York in 2013. Will one arrive late?")
    told.headway("init", args.dir, "--example", EXAMPLE, at=os.getcwd())
    with open(os.path.join(folder, MARK), "w", encoding="utf-8") as file:
        file.write("made by `headway demo`, which may delete this folder\n")
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
    told.say("April arrives. This time nobody can tell yet, and unsure is not a pass:")
    told.command("python", "fetch_data.py")
    told.headway("run", expect=6)
    told.say("What happened, and what is live:")
    told.headway("runs")
    told.headway("models")
    told.headway("status")
    told.end(args.dir)
    return 0


class _Story:
    """Shows a command, runs it, and stops the story when it ends otherwise than told."""

    def __init__(self, folder: str, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._color = sys.stdout.isatty() and "NO_COLOR" not in environ and environ.get("TERM") != "dumb"

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text

    def say(self, text: str) -> None:
        print("\n" + self._styled(text, "1"), flush=True)

    def headway(self, *words: str, at: str | None = None, expect: int = 0) -> None:
        self._do(("headway", *words), (sys.executable, "-m", "headway", *words), at=at, expect=expect)

    def command(self, *words: str) -> None:
        self._do(words, words)

    def _do(self, shown: tuple[str, ...], words: tuple[str, ...], *, at: str | None = None, expect: int = 0) -> None:
        import subprocess

        print(self._styled(f"\n$ {' '.join(shown)}", "36"), flush=True)
        done = subprocess.run(words, cwd=at or self._folder, env=self._environ, check=False)
        if expect:
            print(self._styled(f"(exit code {done.returncode})", "2"), flush=True)
        if done.returncode != expect:
            raise StepNotStarted(
                f"the demo stopped: `{' '.join(shown)}` ended with exit code {done.returncode}, not {expect}",
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

    def end(self, shown: str) -> None:
        print(
            f"\n{self._styled('What to do next', '1')}\n"
            f"  cd {shown}\n"
            "  headway show                 the last run: why the gate held\n"
            "  headway diff 1 2             what changed when the better model came\n"
            "  headway rollback flights     put the first model back, checked by the same golden requests\n"
            "  python fetch_data.py         let May arrive, then: headway run\n"
            "  headway endpoints --stop flights    end the server when you are done\n"
        )


def _clear(folder: str, told: _Story) -> None:
    """Take away an earlier demo, its server first. Raises Conflict for a folder that is somebody's own."""
    if not os.path.lexists(folder):
        return
    if not os.path.exists(os.path.join(folder, MARK)):
        raise Conflict(
            f"{folder} is there already, and this command did not make it", at="DIR", remedy="name another folder"
        )
    print(f"taking away the demo of last time in {folder}")
    if os.path.isdir(os.path.join(folder, ".headway", "endpoints")):
        told.headway("endpoints", "--stop", EXAMPLE)
    shutil.rmtree(folder)


def _check_packages() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("sklearn", "polars", "pytest", "threadpoolctl") if find_spec(name) is None]
    if missing:
        raise ExtraMissing(
            f"the example trains and tests a scikit-learn model; not installed here: {', '.join(missing)}",
            at="headway demo",
            remedy="pip install 'headway[sklearn]' pytest",
        )
