"""The step type `validate-data`: whether a model may be trained on what was delivered.

Reads the schemas, opens the data and their reference (`tables/review` answers the checks), and reports what came of it
as a file, as Markdown and in a few lines. Decides nothing itself.
"""

import os
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from headway.core.ids import Artifact
from headway.core.private import of_verdict
from headway.core.telling import rows
from headway.core.validation import DataCheck, DataVerdict, Finding
from headway.errors import FileMissing, NameUnknown, SystemRefused
from headway.steps import Bench

LINES = 2
"""Broken checks told on the terminal, the worst first, each with its remedy; the summary has them all."""

RELEASED = "last-released"


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Let a run go on only if the data are what the schema says, and like those of before.

    Exit code 4 stops it when a check of severity error is broken, 1 when one could not be measured. Outputs: `outcome`
    (pass, warn, fail or error), `rows` and `report` (the digest of what was asked and found).
    """

    data: Annotated[
        str,
        Meta(
            description="The table: a CSV, Parquet, JSON lines or Arrow file, or a folder of them.",
            examples=["data/training.csv"],
        ),
    ]
    # Named like the key; `schema` alone hides nothing of a Struct.
    schema: Annotated[
        str | tuple[str, ...],
        Meta(
            description="The schema, or several of which all must hold (docs/validation.md).",
            examples=["schemas/training.yaml"],
        ),
    ]
    reference: Annotated[
        str,
        Meta(
            description="What changes are measured against: last-released (the data of the version that serves), a "
            "dataset version or a path.",
            examples=[RELEASED, "train@7"],
        ),
    ] = ""
    examples: Annotated[int, Meta(ge=0, le=1000, description="Bad rows shown for each broken check. Default: 5.")] = 5
    bad_rows: Annotated[str, Meta(description="A Parquet file to write all bad rows to. Default: none.")] = ""
    report: Annotated[str, Meta(description="A JSON file to write the verdict to. Default: none.")] = ""

    def run(self, bench: Bench) -> int:
        """Read, review, report. Raises FileMissing, FileFaulty, TableUnreadable, NameUnknown, BlobMissing."""
        from headway.tables.review import Asked, review

        checks = self._checks(bench)
        data = bench.artifact(self.data)
        reference, called = self._reference(bench, data.path)
        asked = Asked(
            paths=(bench.path(self.data),),
            checks=checks,
            reference=reference,
            examples=self.examples,
            bad_rows=self.bad_rows and bench.path(self.bad_rows),
        )
        found = review(asked, paths_of=lambda name: (_of(bench, name),), now=bench.now())
        verdict = of_verdict(found.verdict, bench.private)
        exit_code = {"pass": 0, "warn": 0, "fail": 4, "error": 1}[verdict.outcome]
        record = Record(step=self, data=data, reference=called, verdict=verdict, exit_code=exit_code)
        self._report(bench, record)
        if found.n_bad_rows is not None:
            bench.say(f"{rows(found.n_bad_rows, 'bad')} written to {self.bad_rows}")
        return exit_code

    def _checks(self, bench: Bench) -> tuple[DataCheck, ...]:
        from headway.codec.suites.read import read_any
        from headway.core.schema_checks import checks_of

        found: list[DataCheck] = []
        for path in (self.schema,) if isinstance(self.schema, str) else self.schema:
            try:
                with open(bench.path(path), "rb") as f:
                    schema, unmapped = read_any(f.read(), path=path)
            except FileNotFoundError as e:
                raise FileMissing(
                    f"there is no schema {path}",
                    at=f"step {bench.step_id}: with.schema",
                    remedy=f"write it, or let `headway data schema infer {self.data} > {path}` begin it",
                ) from e
            except OSError as e:
                raise SystemRefused(
                    f"the schema cannot be read: {e.strerror}", at=path, remedy="see that it may"
                ) from e
            found += checks_of(schema)
            for one in unmapped:
                bench.say(f"{path}: {one.told}")
        return tuple(found)

    def _reference(self, bench: Bench, path: str) -> tuple[tuple[str, ...], str]:
        """The files of the reference, and what it is called; nothing while no version was released."""
        if not self.reference:
            return (), ""
        if self.reference == RELEASED:
            found = bench.last_released(path)
            if found is None:
                return (), ""
            artifact, version = found
            return (bench.copy_of(artifact),), f"the data of {version}"
        return (_of(bench, self.reference),), self.reference

    def _report(self, bench: Bench, record: "Record") -> None:
        text = msgspec.json.format(msgspec.json.encode(record))
        digest = bench.blobs.put(text)
        # No fact may name what could still be lost.
        bench.blobs.sync()
        if self.report:
            with open(_place(bench, self.report), "wb") as f:
                f.write(text)
        bench.output("outcome", record.verdict.outcome)
        bench.output("rows", str(record.verdict.n_rows))
        bench.output("report", digest)
        bench.metric("rows", record.verdict.n_rows)
        bench.metric("checks_broken", len(record.verdict.broken))
        bench.summary(_markdown(record))
        for line in _lines(record):
            bench.say(line)


class Record(Struct, frozen=True, kw_only=True):
    """What is kept of a validation: what was asked, of which data, against which, and the answer."""

    step: Step
    data: Artifact
    reference: str
    verdict: DataVerdict
    exit_code: int


def _of(bench: Bench, name: str) -> str:
    """Where the table lies that a person named: a path of the project, else a version of a dataset.

    Raises FileMissing, NameUnknown.
    """
    from headway.core.dataset import parse_dataset_ref

    path = bench.path(name)
    if os.path.exists(path):
        return path
    ref = parse_dataset_ref(name)
    try:
        if ref is not None:
            return bench.copy_of(bench.dataset(ref))
    except NameUnknown:
        if "@" in name:
            raise
    raise FileMissing(f"there is no {name}", at=name, remedy="name a file, a folder or a dataset version (train@7)")


def _place(bench: Bench, name: str) -> str:
    """A path of the project to be written to, whose folder is there."""
    path = bench.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


# --- telling -----------------------------------------------------------------------------------------------------


def _headline(record: Record) -> str:
    against = f", against {record.reference}" if record.reference else ""
    if record.step.reference == RELEASED and not record.reference:
        against = ", nothing was released on it yet"
    verdict = record.verdict
    return f"data: {verdict.outcome} ({record.data.path}: {rows(verdict.n_rows)}{against}): {verdict.why}"


def _lines(record: Record) -> list[str]:
    broken = record.verdict.broken
    lines = [_headline(record)]
    for one in broken[:LINES]:
        lines.append(f"{one.word.upper()}  {one.why}")
        if one.remedy:
            lines.append(f"  do: {one.remedy}")
    if len(broken) > LINES:
        lines.append(f"and {len(broken) - LINES} more in the run's summary")
    return lines


def _markdown(record: Record) -> str:
    lines = [f"### {_headline(record)}", ""]
    broken = record.verdict.broken
    for one in broken:
        lines.append(f"- **{one.word}** {_escaped(one.why)}" + (f" _{_escaped(one.remedy)}_" if one.remedy else ""))
        lines += _example_rows(one)
    lines += ["", "| check | outcome | bad rows |", "|---|---|---|"]
    for one in record.verdict.findings:
        bad = "" if one.n_bad is None else f"{one.n_bad:,} of {one.n_rows:,}"
        lines.append(f"| `{one.check.at.replace('|', '&#124;')}` | {one.word} | {bad} |")
    return "\n".join([*lines, ""])


def _example_rows(finding: Finding) -> Iterator[str]:
    for one in finding.examples:
        place = f"{one.file} line {one.line}".lstrip() if one.line is not None else f"row {one.row}"
        values = ", ".join(f"{name} = {'null' if text is None else text}" for name, text in one.values.items())
        yield f"  - {_escaped(place)}: {_escaped(values)}"


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|" else c for c in text.replace("\n", " "))
