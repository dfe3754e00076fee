"""A step as a task for the runner: its command line, its environment, and the files it reports through.

A one-line command without any shell syntax is started directly, as make does: the shell would only `exec` it, and
starting bash costs more than many a step. Everything else runs under `bash -eo pipefail`, or `sh -e` without bash.
"""

import os
import sys
from collections.abc import Mapping

from headway.codec.wire import digest_of
from headway.core.pipeline import StepSpec
from headway.errors import NameUnknown

PROGRESS = "  "
"""What a line of a built-in step begins with that tells how far it is, and not what came of it."""

_SYNTAX = frozenset("~#$&*()\\|[]{};'\"<>?!=%^`\n\t")
"""A command with one of these needs a shell. `=` and `%` do so only in places, but then the shell is right anyway."""

_BUILTIN = frozenset(
    """
    . : alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs
    disown do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help
    history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select
    set shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset until
    wait while
    """.split()  # noqa: SIM905 (a list of 60 quoted words is no easier to read)
)

_READ_BY_BASH = frozenset(("BASH_ENV", "SHELLOPTS", "BASHOPTS", "EXECIGNORE"))
"""Variables that change what bash does with a plain command: with one of them set, bash must be asked."""

_LONGEST_ARGUMENT = 100_000
"""Bytes; Linux takes 128 KiB in one argument; a longer script goes through a file."""


class Command:
    """What to start: `argv`, and `fallback` when `argv[0]` is no program that can be found."""

    __slots__ = ("argv", "fallback")

    def __init__(self, argv: tuple[str, ...], fallback: tuple[str, ...] = ()) -> None:
        self.argv = argv
        self.fallback = fallback


class Shells:
    """Chooses the command line for a step's text; knows which shells this machine has."""

    __slots__ = ("_default", "_environ", "_is_unsettled", "_scripts")

    def __init__(self, environ: Mapping[str, str], scripts: str) -> None:
        """`scripts` is a folder for texts that must lie in a file; made when first needed."""
        bash = find("bash", environ)
        self._default = (bash, "-eo", "pipefail") if bash else ("/bin/sh", "-e")
        self._environ = environ
        self._is_unsettled = not _READ_BY_BASH.isdisjoint(environ)
        self._scripts = scripts

    def command(self, spec: StepSpec, text: str, file: str, env: Mapping[str, str]) -> Command:
        """The command for `text`; `file` names a script of this step, if one is needed; `env` is the step's own.

        Raises NameUnknown for a shell that nobody knows.
        """
        if spec.shell is not None:
            return Command(self._chosen(spec, text, file))
        # Four bytes a sign at most: short texts, nearly all, need no second look.
        if len(text) * 4 > _LONGEST_ARGUMENT and len(os.fsencode(text)) > _LONGEST_ARGUMENT:
            return Command((*self._default, self._script(file, text)))
        through = (*self._default, "-c", "--", text)
        words = self._words(text, env)
        return Command(words, through) if words else Command(through)

    def _words(self, text: str, env: Mapping[str, str]) -> tuple[str, ...]:
        """The words of a text that means the same without a shell; none if it does not, or might not."""
        if self._is_unsettled or not _SYNTAX.isdisjoint(text) or not _READ_BY_BASH.isdisjoint(env):
            return ()
        words = tuple([word for word in text.split(" ") if word])
        if not words or words[0] in _BUILTIN:
            return ()
        # Functions that a parent bash exported, as `module` is on many clusters, go before programs.
        functions = (f"BASH_FUNC_{words[0]}%%", f"BASH_FUNC_{words[0]}()")
        return () if any(name in self._environ or name in env for name in functions) else words

    def _chosen(self, spec: StepSpec, text: str, file: str) -> tuple[str, ...]:
        shell = spec.shell or ""
        words = shell.split()
        if len(words) == 1 and "{0}" not in shell:
            flags = {"bash": ("-eo", "pipefail"), "sh": ("-e",), "zsh": ("-e",), "python": (), "python3": ()}
            if words[0] not in flags:
                raise NameUnknown(
                    f"no shell is called {shell!r}",
                    at=f"step {spec.id}: shell",
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
    """The command for a step of `uses:`: this interpreter, this package, in a process of its own.

    `-P`: with the project's folder in front of everything, its `queue.py` would stand in for Python's own.
    """
    return Command((sys.executable, "-P", "-m", "headway", "perform", task_file))


def find(program: str, environ: Mapping[str, str]) -> str | None:
    """Where PATH finds a program, or None."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def file_name(step: str) -> str:
    """A step's id as a file's name, of at most 200 bytes; different ids have different names.

    Anything but ASCII letters, digits and `-_.,=` is written as %XX; of a long one the end gives way to a digest.

    >>> file_name("train[lr=0.1]")
    'train%5blr=0.1%5d'
    """
    if _PLAIN.issuperset(step) and len(step) <= _LONGEST_NAME:
        return step
    name = "".join(c if c in _PLAIN else "".join(f"%{b:02x}" for b in c.encode()) for c in step)
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 33]}~{digest_of(step.encode())[:32]}"


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,=")

_LONGEST_NAME = 200
"""File systems take 255 bytes, and `-12.junit.xml` and the like come behind it."""
