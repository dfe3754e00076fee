"""All benchmarks, one after the other: `python bench/run_all.py [--peers …] [--n …] [--docs]`.

Options are handed to each. `--docs` puts the tables into docs/benchmarks.md. Exit status 1 when a promise is broken.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: The first four in the order in which a user meets them, the long ones last.
ALL = ("startup", "four_steps", "hundred_steps", "thousand_steps", "log", "install", "ten_thousand_steps", "memory")
BEGIN = "<!-- results: `python bench/run_all.py --docs` writes from here -->"
END = "<!-- to here -->"


def main(words: list[str]) -> int:
    is_for_docs = "--docs" in words
    passed_on = [word for word in words if word != "--docs"]
    tables, broken = [], []
    for name in ALL:
        print(f"--- {name}", file=sys.stderr, flush=True)
        # These have their own set of peers: --peers would take it away.
        given = [] if name in {"ten_thousand_steps", "memory", "install"} else passed_on
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), *given], stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout, flush=True)
        tables.append(done.stdout.strip())
        if done.returncode != 0:
            broken.append(name)
    if is_for_docs:
        fill(HERE.parent / "docs" / "benchmarks.md", "\n\n".join(tables))
    if broken:
        print(f"a promise is broken or was not measured in: {', '.join(broken)}", file=sys.stderr)
    return int(bool(broken))


def fill(page: Path, tables: str) -> None:
    """Put the tables between the two marks of a page."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
