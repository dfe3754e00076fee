"""A step as a task for the runner: its command line, its environment, and the files it reports through.

A one-line command without any shell syntax is started directly, as make does: the shell would only `exec` it, and
starting bash costs more than many a step. Everything else runs under `bash -eo pipefail`, or `sh -e` without bash.
"""

import os
import sys
from collections.abc import Mapping

from headway.core.pipeline import StepSpec
from headway.errors import NameUnknown

_SYNTAX = frozenset("~#$&*()\\|[]{};'\"<>?!=%^`\n\t")
"""A command with one of these needs a shell. `=` and `%` do so only in places, but then the shell is right anyway."""

_BUILTIN = frozenset(
    """
    . : alias bg bind break builtin caller case cd command compgen complete continue coproc declare dirs disown
    do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help
    history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select
    set shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset until
    wait while
    """.split()  # noqa: SIM905 (a list of 60 quoted words is no easier to read)
)

_LONGEST_ARGUMENT = 100_000
"""Linux takes 128 KiB in one argument; a longer script goes through a file."""


class Command:
    """What to start: `argv`, and `fallback` when `argv[0]` is no program that can be found."""

    __slots__ = ("argv", "fallback")

    def __init__(self, argv: tuple[str, ...], fallback: tuple[str, ...] = ()) -> None:
        self.argv = argv
        self.fallback = fallback


class Shells:
    """Chooses the command line for a step's text; knows which shells this machine has."""

    __slots__ = ("_default", "_direct", "_scripts")

    def __init__(self, environ: Mapping[str, str], scripts: str) -> None:
        """`scripts` is a folder for texts that must lie in a file; made when first needed."""
        bash = find("bash", environ)
        self._default = (bash, "-eo", "pipefail", "-c") if bash else ("/bin/sh", "-e", "-c")
        # bash reads the file of BASH_ENV before any command: without bash it would not.
        self._direct = not environ.get("BASH_ENV")
        self._scripts = scripts

    def command(self, spec: StepSpec, text: str, file: str) -> Command:
        """The command for `text`; `file` names a script of this step, if one is needed. Raises NameUnknown."""
        if spec.shell is None:
            through = (*self._default, text)
            if len(text) > _LONGEST_ARGUMENT:
                return Command((*self._default[:-1], self._script(file, text)))
            words = text.split(" ") if self._direct and _SYNTAX.isdisjoint(text) else []
            words = [word for word in words if word]
            if words and words[0] not in _BUILTIN:
                return Command(tuple(words), through)
            return Command(through)
        return Command(self._chosen(spec.shell, text, file))

    def _chosen(self, shell: str, text: str, file: str) -> tuple[str, ...]:
        words = shell.split()
        if len(words) == 1:
            flags = {"bash": ("-eo", "pipefail"), "sh": ("-e",), "zsh": ("-e",), "python": (), "python3": ()}
            if words[0] not in flags:
                raise NameUnknown(
                    f"no shell is called {shell!r}",
                    at="shell",
                    remedy="use bash, sh, zsh, python, or a command with {0} where the script's file goes",
                )
            return (words[0], *flags[words[0]], self._script(file, text))
        script = self._script(file, text)
        # `bash -x` with no place for the script would read an empty input, and pass.
        placed = words if "{0}" in shell else [*words, "{0}"]
        return tuple(word.replace("{0}", script) for word in placed)

    def _script(self, file: str, text: str) -> str:
        os.makedirs(self._scripts, exist_ok=True)
        path = os.path.join(self._scripts, file)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text if text.endswith("\n") else text + "\n")
        return path


def builtin(task_file: str) -> Command:
    """The command for a step of `uses:`: this interpreter, this package, in a process of its own."""
    return Command((sys.executable, "-m", "headway", "perform", task_file))


def find(program: str, environ: Mapping[str, str]) -> str | None:
    """Where PATH finds a program, or None."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def file_name(step: str) -> str:
    """A step's id as a file's name: anything but letters, digits and `-_.,=` is written as %XX, so names stay apart."""
    return "".join(c if c.isalnum() or c in "-_.,=" else "".join(f"%{b:02x}" for b in c.encode()) for c in step)
