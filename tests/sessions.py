"""Pages that are typed again: their files written, their console blocks run in order, the output beside the page's.

A fenced block that begins with `# file: NAME`, or follows a line that ends in `NAME`: (where a language has no
comments), is a file of the reader's folder. A block of `console` holds commands, each on a line behind `$ `, and what
they print. Times, digests, ports and places differ from run to run; `Typed.is_same` is blind to those.

    python tests/sessions.py docs/cli.md      type the page and write down what is printed now
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# file: (\S+)\n")
_NAMED = re.compile(r"`(\S+)`:\n\n$")

_BLIND = (
    (re.compile(r"\b[0-9a-f]{8,64}\b"), "DIGEST"),
    (re.compile(r"\b\d+(\.\d+)? (s|min|h|ms|seconds?|minutes?|hours?)\b( ago)?"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (B|[KMG]iB)\b"), "SIZE"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "WHEN"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"^  python .*$", re.MULTILINE), "  PLACE"),
    (re.compile(r"^(last hash|registered +|environment +).*$", re.MULTILINE), r"\1"),
    # Columns are as wide as what stands in them.
    (re.compile(r" {2,}"), "  "),
)


class Typed:
    """One command of a page: what stands there to be typed, what the page says it prints, and what it prints."""

    def __init__(self, command: str, expected: str, printed: str) -> None:
        self.command = command
        self.expected = expected
        self.printed = printed

    @property
    def is_same(self) -> bool:
        """Whether it prints what the page says, but for what differs from run to run."""
        return _blinded(self.expected) == _blinded(self.printed)


def _blinded(text: str) -> str:
    for pattern, word in _BLIND:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def sections(page: str) -> list[tuple[str, str]]:
    """The heads of the second level, and what stands under each."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def commands(block: str) -> Iterator[tuple[str, str]]:
    """What is typed in a console block, and what stands under it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def play(page: str, folder: Path) -> Iterator[Typed]:
    """Write the files and type the commands of a page, in its order."""
    for found in BLOCK.finditer(page):
        language, text = found.groups()
        name = _FILE.match(text) or _NAMED.search(page[: found.start()])
        if language == "console":
            for command, expected in commands(text):
                yield Typed(command, expected, run(command, folder))
        elif name is not None:
            path = folder / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.removeprefix(f"# file: {name[1]}\n"))


def run(command: str, folder: Path) -> str:
    """What a command prints, in a reader's folder and on a reader's machine."""
    ours = dict(os.environ)  # noqa: TID251 (what a shell inherits)
    clean = {name: value for name, value in ours.items() if not name.startswith(("HEADWAY_", "PYTEST_", "GIT_"))}
    path = f"{os.path.dirname(sys.executable)}:{ours['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**clean, "PATH": path, "NO_COLOR": "1", "USER": "ann"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    system = os.uname()
    for ours_, readers in (
        (str(folder), "/home/ann/fares"),
        (os.path.dirname(os.path.dirname(sys.executable)), "/home/ann/fares/.venv"),
        (f"{system.sysname} {system.release} {system.machine}", "Linux 6.12 x86_64"),
        (f"ann@{system.nodename}", "ann@desk"),
    ):
        done.stdout = done.stdout.replace(ours_, readers)
    return done.stdout


def retyped(page: str) -> str:
    """The page with what its commands print now."""
    with tempfile.TemporaryDirectory() as folder:
        printed = iter([typed.printed for typed in play(page, Path(folder))])

    def again(found: re.Match[str]) -> str:
        if found[1] != "console":
            return found[0]
        lines = "".join(f"$ {command}\n{next(printed)}" for command, _ in commands(found[2]))
        return f"```console\n{lines}```"

    return BLOCK.sub(again, page)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        file = Path(argument)
        file.write_text(retyped(file.read_text()))
