"""Promise: 1 % of rows put into the middle of a table cost at most 1.2 % of a CSV, and 4 % of a Parquet file of ours.

`extra %` is what the second version adds to the store, of the size of its file; under 1 % is what compression gains.
Then what the disk pays for both. Beside ours stands the same table as pyarrow writes it by default. The number of rows
put in is odd, so that no writer comes into step again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import environments
from harness import Contender, Place, Size, Stage, once, options, take_turns
from projects.tool import Tool
from report import MB, Promise, Sample
from store_files import memory
from store_peers import BORG, DVC, HEADWAY, OXEN, RESTIC, chosen
from store_projects import Project, SetUpFailed, checked, projects

WORKER = Path(__file__).resolve().parent / "table_worker.py"
#: What is kept, by the name that its file has in the project.
CASES = {
    "data.csv": "CSV, 1 % of rows inserted",
    "data.parquet": "Parquet of headway's, 1 % of rows inserted",
    "plain.parquet": "Parquet as pyarrow writes it, 1 % of rows inserted",
}
ABLE = (HEADWAY, DVC, OXEN, RESTIC, BORG)
#: Measured with the worker: 14 million rows are about 1 GB of CSV.
ROWS_PER_MB = 14_280


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="mb", default=1000, help="MB of the CSV file")
    stage = Stage(name="store_space", promise=promise, options=options(promise, n=1, size=size))
    scratch = stage.scratch()
    writer = Tool(name="headway[sql]")
    if not stage.bring([writer]):
        return stage.finish([], promises())
    write_tables(stage.place(writer, scratch / "tables", scratch / "home"), stage.options.size, stage.options.timeout_s)
    contenders = []
    for name in CASES:
        found = projects(stage, chosen(stage.options, ABLE), scratch / name, name)
        contenders += [two_versions(project, scratch / "tables") for project in found.values()]
    series = take_turns(contenders, stage.options.n)
    return stage.finish(series, [*promises(), *memory(series)])


def write_tables(place: Place, size_mb: int, timeout_s: int) -> None:
    """Both versions of the table in all forms, in folders `1` and `2`; raises SystemExit when the worker fails."""
    n_rows = size_mb * ROWS_PER_MB
    environments.empty(place.home)
    for version, n_inserted in (("1", 0), ("2", n_rows // 100 | 1)):
        at = Place(folder=place.folder / version, home=place.home, environment=place.environment)
        environments.empty(at.folder)
        words = ("python", str(WORKER), str(n_rows), str(n_rows // 2), str(n_inserted))
        fault = once(words, at, timeout_s).fault
        if fault:
            raise SystemExit(f"the tables could not be written: {fault}")


def two_versions(project: Project, tables: Path) -> Contender:
    """Keep the first version, then the second in its place: what it costs, and what it adds to the store."""
    case = CASES[project.path]

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        keeper, taken = project.keeper, []
        sample = Sample.broken("there is no version")
        try:
            project.renew()
            for version in (1, 2):
                # Overwritten in place, as a file is that grows each day.
                project.data.write_bytes(b"")
                with (tables / str(version) / project.path).open("rb") as source, project.data.open("r+b") as f:
                    while os.copy_file_range(source.fileno(), f.fileno(), 1 << 30):
                        pass
                before = project.stored_bytes()
                sample = project.measure(keeper.keep or (), version)
                taken.append(project.stored_bytes() - before)
                if sample.fault:
                    break
                project.set_up(*keeper.seal, version=version)
        except SetUpFailed as broken:
            sample = Sample.broken(str(broken))
        if sample.fault:
            yield case, sample
        else:
            percent = 100 * taken[1] / project.data.stat().st_size
            counts = {"extra %": percent, "extra MB": taken[1] / MB, "stored MB": sum(taken) / MB}
            # No compression makes the rows inserted that small: such a store does not have them.
            fault = None if percent > 0.05 else f"only {taken[1]:,} bytes were added"
            yield case, checked(sample.with_counts(counts), fault)
        project.remove()

    return Contender(tool=project.keeper.name, play=play)


def promises() -> list[Promise]:
    """What issue 3 holds headway to."""
    bounds = {"data.csv": 1.2, "data.parquet": 4.0}
    return [
        Promise(
            text=f"{CASES[name]}: at most {most:g} % more",
            of=("headway", CASES[name]),
            measure="extra %",
            most=most,
        )
        for name, most in bounds.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
