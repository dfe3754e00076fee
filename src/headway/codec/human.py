"""Files that people write: `pipeline.yaml`, params, settings. Every fault at once, each with its place and a remedy.

Reading is quick when nothing is wrong: plain values of the marked tree, then `msgspec.convert`. Only a refusal wakes
`kinds`, which walks values and types together; only a fault asks the marks where it is. `core/resolve` says what the
values mean.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from headway.core.grammar import File, Step
from headway.core.pipeline import Pipeline
from headway.core.plan import overridden
from headway.core.problem import Path, Problem
from headway.core.resolve import Around, resolve
from headway.errors import Fault, FileFaulty

T = TypeVar("T")


def read_pipeline(  # noqa: PLR0913 (all but the bytes and their name have defaults or are the world around)
    data: bytes,
    *,
    path: str,
    known_step_types: Collection[str],
    read_file: Callable[[str], bytes | None],
    name: str = "pipeline",
    given: Collection[str] = (),
    further: Callable[[Step], Iterable[Problem]] | None = None,
    is_zone: Callable[[str], bool] | None = None,
) -> Pipeline:
    """The pipeline that a file's bytes mean.

    `path` is what faults call the file; `read_file` gives the bytes of a file beside it, None when there is none;
    `name` is the pipeline's when the file gives none; `given` are the params of the command line; `further` says what
    else is wrong with a step whose `uses` and `with` are whole, each with its path below the step; `is_zone` knows the
    time zones. Raises FileFaulty with all faults.
    """
    import gc

    # A large file makes a million objects and no rings: looking for rings among them would take most of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        reading = _Reading(data, path)
        file = reading.file()
        if file is not None:
            around = Around(
                params=reading.params(file, read_file, given),
                step_types=known_step_types,
                lines=reading.lines_of_steps,
                damaged=reading.damaged,
                name=name,
                is_zone=is_zone,
            )
            pipeline, problems = resolve(file, around)
            reading.add(problems)
            if further is not None:
                reading.add(reading.of_steps(file, further))
            if pipeline is not None and not reading.faults:
                return pipeline
        assert reading.faults, "kinds refuses whatever msgspec refuses, as a test of both holds"
        raise faulty(path, reading.faults)
    finally:
        if was_on:
            gc.enable()


def faulty(path: str, faults: Sequence[Fault], *, page: str = "docs/pipeline.md") -> FileFaulty:
    """The error for a file with these faults, which it puts in order; `page` has all that such a file may say."""
    ordered = sorted(faults, key=lambda fault: (fault.file, fault.line, fault.column))
    n = len(ordered)
    return FileFaulty(
        f"{path} has {n} fault{'s' * (n > 1)}",
        at=f"{ordered[0].file or path}:{ordered[0].line}:{ordered[0].column}" if n and ordered[0].line else path,
        remedy=f"mend what is listed; {page} has every key",
        faults=tuple(ordered),
    )


class _Reading:
    """One file on its way from bytes to a `File`, with its marks for whatever is found to be wrong."""

    def __init__(self, data: bytes, path: str) -> None:
        from headway.codec import marks

        self.marks = marks
        self.path = path
        self.faults: list[Fault] = []
        self.damaged: set[int] = set()
        self.faulty_keys: set[Path] = set()
        text = decoded(data, path)
        # YAML's line breaks are Python's.
        self.lines = text.splitlines()
        try:
            self.root = marks.compose(text)
            values = marks.Values(has_aliases="&" in text)
            # Any: plain values of whatever was written.
            self.value: Any = None if self.root is None else values.of(self.root)
            self.is_empty = self.root is None
            self.lines_of_steps = self._step_lines()
        except marks.Unreadable as e:
            e.fault.excerpt = self.excerpt(e.fault.line)
            raise faulty(path, [e.fault]) from e
        for node, problem, remedy in values.faults:
            below = marks.path_to(self.root, node)
            fault = marks.fault_at(node, problem, remedy, where=where(below, self.value))
            fault.excerpt = self.excerpt(fault.line)
            self.faults.append(fault)
            self.note_damage(below)

    def note_damage(self, path: Path) -> None:
        """Remember the step that a fault lies in."""
        if len(path) > 1 and path[0] == "steps" and isinstance(path[1], int):
            self.damaged.add(path[1])
            self.faulty_keys.add(path[:3])

    def file(self) -> File | None:
        """The values as a `File`; what is faulty is left out and told of. None when nothing is left."""
        if self.is_empty:
            empty = Fault("the file is empty", line=1, column=1, remedy="write steps:, then - run: python train.py")
            self.faults.append(empty)
            return None
        self.texts_of_env()
        if not self.faults:
            # The marks of ten thousand steps are 50 MB; should something turn out to be wrong, they are made again.
            self.root = None
            file = converted(self.value, File)
            if file is not None:
                self.value = None
                return file
        from headway.codec.kinds import problems_of

        self.again()
        problems, left = problems_of(self.value, File)
        self.add(problems)
        for problem in problems:
            self.note_damage(problem.path)
        return converted(left, File)

    def of_steps(self, file: File, further: Callable[[Step], Iterable[Problem]]) -> list[Problem]:
        """What `further` says of each step; nothing of one whose `uses` or `with` was faulty and is gone."""
        return [
            msgspec.structs.replace(problem, path=("steps", i, *problem.path))
            for i, step in enumerate(file.steps)
            if self.faulty_keys.isdisjoint({("steps", i), ("steps", i, "uses"), ("steps", i, "with")})
            for problem in further(step)
        ]

    def texts_of_env(self) -> None:
        """Let environment variables be what was written: `1.10` and `007` are texts there, not numbers."""
        if not isinstance(self.value, dict):
            return
        self.value = self.with_texts(self.value, ())
        steps = self.value.get("steps")
        if isinstance(steps, list):
            for i, step in enumerate(steps):
                if isinstance(step, dict) and "env" in step:
                    steps[i] = self.with_texts(step, ("steps", i))

    def with_texts(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        env = value.get("env")
        if not isinstance(env, dict) or all(isinstance(v, str) for v in env.values()):
            return value
        texts = {}
        for name, one in env.items():
            node = self.marks.find(self.root, (*path, "env", name))
            texts[name] = node.value if isinstance(one, int | float | bool) and type(node.value) is str else one
        return {**value, "env": texts}

    def params(
        self, file: File, read_file: Callable[[str], bytes | None], given: Collection[str]
    ) -> Mapping[str, Any] | None:
        """The parsed params file; None when it cannot be read, which is a fault. Without one, those `given`."""
        if not file.params:
            is_named = isinstance(self.value, dict) and "params" in self.value
            return None if is_named else overridden({}, dict.fromkeys(given))
        data = read_file(file.params)
        if data is None:
            self.add([Problem(path=("params",), problem=f"there is no file {file.params}", remedy="write it")])
            return None
        try:
            values = read_params(data, path=file.params)
            beyond = [
                Fault(
                    f"{where(path, values)} is {number}", remedy="write a finite number of 64 bits, or a text in quotes"
                )
                for path, number in unfit(values)
            ]
            if beyond:
                raise faulty(file.params, beyond)
        except FileFaulty as e:
            for fault in e.faults:
                if fault.line:
                    fault.file = file.params
                    self.faults.append(fault)
                else:
                    problem = f"{file.params}: {fault.problem}"
                    self.add([Problem(path=("params",), problem=problem, remedy=fault.remedy)])
            return None
        return values

    def again(self) -> None:
        """Compose the text again when its marks were let go."""
        if self.root is None and not self.is_empty:
            text = "\n".join(self.lines)
            self.root = self.marks.compose(text)
            self.value = self.marks.Values(has_aliases="&" in text).of(self.root)
            self.texts_of_env()

    def _step_lines(self) -> list[int]:
        """The line in which each step begins."""
        if self.root is None:
            return []
        steps = self.marks.find(self.root, ("steps",))
        if steps is self.root or steps.id != "sequence":
            return []
        return [node.start_mark.line + 1 for node in steps.value]

    def add(self, problems: Sequence[Problem]) -> None:
        """Give each problem its place."""
        if problems:
            self.again()
        for problem in problems:
            node = self.marks.find(self.root, problem.path, at_key=problem.at_key)
            line, column = self.marks.place(node, self.lines, problem.offset)
            self.faults.append(
                Fault(
                    problem.problem,
                    line=line,
                    column=column,
                    where=where(problem.path, self.value),
                    excerpt=self.excerpt(line),
                    remedy=problem.remedy,
                )
            )

    def excerpt(self, line: int) -> str:
        """The line as it is written."""
        return self.lines[line - 1] if 0 < line <= len(self.lines) else ""


def converted(value: Any, kind: type[T]) -> T | None:  # noqa: ANN401 (plain values)
    """The value as a `kind`, or None where msgspec refuses."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None


def decoded(data: bytes, path: str) -> str:
    """The text of a file, which is UTF-8 with or without a mark. Raises FileFaulty."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        column = e.start - data.rfind(b"\n", 0, e.start)
        fault = Fault("the file is not UTF-8 text", line=line, column=column, remedy="save it as UTF-8")
        raise faulty(path, [fault]) from e


# Any: plain values of whatever was written.
def where(path: Path, value: Any) -> str:  # noqa: ANN401 (as above)
    """A path as people read it: `steps[1] "Train Model" . depz`.

    >>> where(("steps", 0, "in", 1), {"steps": [{"name": "A"}]})
    'steps[0] "A" . in[1]'
    """
    said = ""
    for part in path:
        if isinstance(part, int):
            said += f"[{part}]"
        else:
            said += f" . {part}" if said.endswith('"') else f".{part}" if said else part
        value = _below(value, part)
        name = value.get("name") if isinstance(value, dict) and isinstance(part, int) else None
        if isinstance(name, str) and name:
            said += f' "{name}"'
    return said


def _below(value: Any, part: str | int) -> Any:  # noqa: ANN401 (as above)
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None


def plain(data: bytes, *, path: str) -> dict[str, Any]:
    """The values of a YAML file whose top is a mapping; an empty one has none. Raises FileFaulty with all faults."""
    reading = _Reading(data, path)
    if reading.faults:
        raise faulty(path, reading.faults)
    return _mapping({} if reading.value is None else reading.value, path)


def _mapping(value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401 (as above)
    if isinstance(value, dict):
        return value
    raise faulty(path, [Fault("its top is not a mapping", line=1, column=1, remedy="write name: value")])


def read_params(data: bytes, *, path: str) -> dict[str, Any]:
    """The nested values of a params file: YAML, or JSON or TOML by its name. Raises FileFaulty with all faults."""
    if path.endswith(".toml"):
        return _toml(decoded(data, path), path)
    if path.endswith(".json"):
        return _json(decoded(data, path), path)
    return plain(data, path=path)


def _toml(text: str, path: str) -> dict[str, Any]:
    import tomllib

    try:
        # Dates become texts, for a param is a number, a text, true, false or nothing.
        return _mapping(msgspec.to_builtins(tomllib.loads(text)), path)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as e:
        from headway.codec import toml

        raise faulty(path, [toml.syntax(str(e), text)]) from e


def _json(text: str, path: str) -> dict[str, Any]:
    try:
        return _mapping(msgspec.json.decode(text), path)
    except (msgspec.DecodeError, RecursionError) as e:
        raise faulty(path, [Fault(f"not JSON: {e}", remedy="mend the place named")]) from e


def unfit(value: Any, path: Path = ()) -> Iterator[tuple[Path, float]]:  # noqa: ANN401 (as above)
    """The numbers that neither the log nor a copy of the pipeline can hold, and where they stand."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from unfit(below, (*path, key))
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from unfit(below, (*path, i))
    # A number less itself is 0 only when it is finite.
    elif (isinstance(value, float) and value - value != 0) or (
        isinstance(value, int) and not -(2**63) <= value < 2**63
    ):
        yield path, value


def check(value: Any, kind: Any, where_at: str = "") -> list[Fault]:  # noqa: ANN401 (as above; any type)
    """All faults of plain values (from TOML, say) as a `kind`, without lines; `where_at` is put before each path."""
    from headway.codec.kinds import problems_of

    problems, _ = problems_of(value, kind)
    return [
        Fault(p.problem, where=".".join(filter(None, (where_at, where(p.path, value)))), remedy=p.remedy)
        for p in problems
    ]
