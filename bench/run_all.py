"""All benchmarks, one after the other: `python bench/run_all.py [--peers …] [--n …] [--docs]`.

Options are handed to each. `--docs` puts the tables into docs/benchmarks.md. Exit status 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: In the order in which a user meets them, the long ones last.
ALL = (
    "startup",
    "four_steps",
    "hundred_steps",
    "thousand_steps",
    "log",
    "rollout_count",
    "daemon",
    "web",
    "monitoring",
    "estimates",
    "install",
    "ten_thousand_steps",
    "memory",
    "store_files",
    "store_large",
    "store_space",
    "store_remote",
    "validation",
    "profiles",
    "drift",
    "gate",
    "serving",
)
STORE = frozenset({"store_files", "store_large", "store_space", "store_remote"})
TABLES = frozenset({"validation", "profiles", "drift", "gate", "monitoring", "estimates"})
OWN_PEERS = frozenset(
    {"ten_thousand_steps", "memory", "install", "rollout_count", "daemon", "web", "serving", *STORE, *TABLES}
)
BEGIN = "<!-- results: `python bench/run_all.py --docs` writes from here -->"
END = "<!-- to here -->"


def main() -> int:
    parser = argparse.ArgumentParser(description="All benchmarks; other options are handed to each.")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--peers", help="for those that have no set of their own")
    asked, passed_on = parser.parse_known_args()
    tables, broken = [], []
    for name in ALL:
        print(f"--- {name}", file=sys.stderr, flush=True)
        peers = ["--peers", asked.peers] if asked.peers and name not in OWN_PEERS else []
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), *peers, *passed_on],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout, flush=True)
        tables.append(done.stdout.strip())
        if done.returncode != 0:
            broken.append(name)
    if asked.docs:
        fill(HERE.parent / "docs" / "benchmarks.md", "\n\n".join(tables))
    if broken:
        print(f"a promise is broken or headway failed in: {', '.join(broken)}", file=sys.stderr)
    return int(bool(broken))


def fill(page: Path, tables: str) -> None:
    """Put the tables between the two marks of a page."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
