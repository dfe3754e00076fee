"""The pipeline file, read, or taken from the copy of the last reading when nothing changed.

Parsing YAML costs more than a whole run of cached steps; the compiled pipeline is kept under the digest of all that
it was made from. The copy is disposable: damaged or gone, it is made anew.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress

import msgspec

from headway import __version__
from headway.codec import wire
from headway.core.facts import Scalar
from headway.core.grammar import Step
from headway.core.ids import is_name
from headway.core.paths import settled
from headway.core.pipeline import Pipeline
from headway.core.plan import flat, overridden
from headway.core.problem import Path, Problem
from headway.errors import FileMissing, NameUnknown, StoreTrouble, UsageMistaken
from headway.flows.home import make

FILE = "pipeline.yaml"

RUNNER = "local"
"""The only one so far; the file may already name those that will come."""

_CACHE = ("cache", "pipeline")

_DIGITS = 64
"""Of a digest, which stands before the packed pipeline."""

LARGE_BYTES = 256 * 1024
"""From this size on (some 3,000 steps) a file is compiled aside: two milliseconds for a fork do not count there."""


class _Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled pipeline, the names and digests of the files it came from, and the params that had to be `given`."""

    version: str
    files: dict[str, str]
    pipeline: Pipeline
    given: tuple[str, ...] = ()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which pipeline is read, and how.

    `file` is relative to `folder`; `step_types` gives the names that `uses:` may have, asked only when the file is
    really read. `given` are the parameters of the command line, which a file that names no params file may use.
    `keep` the copy for the next reading; not for a command that only looks.
    """

    folder: str
    file: str
    home: str
    step_types: Callable[[], Collection[str]]
    given: Collection[str] = ()
    keep: bool = True


def read(asked: Asked) -> Pipeline:
    """The pipeline that is asked for. Raises FileMissing, FileFaulty with all faults."""
    folder, file = asked.folder, asked.file
    data = _bytes(folder, file)
    if data is None:
        raise FileMissing(
            f"there is no {file} in {folder}",
            at=file,
            remedy="write one, or let `headway init` write it from the scripts it finds",
        )
    found = _cached(asked, data)
    if found is None and asked.keep and len(data) >= LARGE_BYTES and _compiled_aside(asked, data):
        found = _cached(asked, data)
    return found or _compile(asked, data)


def _compile(asked: Asked, data: bytes) -> Pipeline:
    from headway.codec.human import read_pipeline

    read_files: dict[str, str] = {asked.file: wire.digest_of(data)}

    def beside(path: str) -> bytes | None:
        other = _bytes(asked.folder, path)
        read_files[path] = wire.digest_of(other) if other is not None else ""
        return other

    types = asked.step_types()
    pipeline = read_pipeline(
        data,
        path=asked.file,
        known_step_types=types,
        read_file=beside,
        name=_name(asked.file),
        given=asked.given,
        further=lambda step: _problems(step, types),
        is_zone=_is_zone,
    )
    if asked.keep:
        given = tuple(asked.given) if pipeline.params_file is None else ()
        compiled = _Compiled(version=__version__, files=read_files, given=given, pipeline=pipeline)
        _save(asked.home, wire.pack(compiled))
    return pipeline


def _compiled_aside(asked: Asked, data: bytes) -> bool:
    """Compile in a process of its own, which leaves the copy behind and takes its memory along.

    The marks of ten thousand steps are 50 MB, which the driver would else hold to the end of the run. When it does not
    go well, nobody hears of it: the driver then compiles itself, and says what is wrong.
    """
    if not hasattr(os, "fork"):
        return False
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    code = 1
    try:
        _compile(asked, data)
        code = 0
    finally:
        # Nothing of the parent's may be flushed, closed or reported a second time.
        os._exit(code)


def _name(file: str) -> str:
    """What a pipeline is called that does not say: as its file, so that two in one folder are told apart."""
    stem = os.path.splitext(os.path.basename(file))[0]
    return stem if is_name(stem) else "pipeline"


def _problems(step: Step, step_types: Collection[str]) -> Iterator[Problem]:
    """What a step type will refuse in its `with:`, or no runner will take: told now, not after an hour's work."""
    if step.runner != RUNNER:
        # To run it here all the same would be a lie that shows when the memory is gone.
        problem = f"there is no runner `{step.runner}` in this version"
        yield Problem(path=("runner",), problem=problem, remedy=f"take the key out, or write runner: {RUNNER}")
    if step.uses and step.uses in step_types:
        from headway.steps import find, problems_of

        for found in problems_of(find(step.uses), step.with_):
            # What is missing is told where `with` stands, or `uses` when there is none.
            path: Path = ("with", *found.path) if step.with_ else ("uses",)
            yield msgspec.structs.replace(found, path=path, at_key=found.at_key or not found.path)


def _is_zone(name: str) -> bool:
    from headway.flows.zones import is_zone

    return is_zone(name)


def _bytes(folder: str, path: str) -> bytes | None:
    try:
        with open(os.path.join(folder, path), "rb") as f:
            return f.read()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def _cached(asked: Asked, data: bytes) -> Pipeline | None:
    path = os.path.join(asked.home, *_CACHE)
    try:
        with open(path, "rb") as f:
            noted, packed = f.read(_DIGITS), f.read()
        # Without its digest a copy that lost a bit would be another pipeline, and run.
        if noted != wire.digest_of(packed).encode():
            return None
        compiled = wire.unpack(packed, _Compiled)
    except (OSError, ValueError):
        return None
    if compiled.version != __version__ or not set(compiled.given) <= set(asked.given):
        return None
    for name, digest in compiled.files.items():
        content = data if name == asked.file else _bytes(asked.folder, name)
        if (wire.digest_of(content) if content is not None else "") != digest:
            return None
    return compiled.pipeline if asked.file in compiled.files else None


def _save(home: str, packed: bytes) -> None:
    """Write the copy; where it cannot be written (a full disk, a folder for reading only) the next reading is slow."""
    path = os.path.join(home, *_CACHE)
    temporary = f"{path}.{os.getpid()}"
    try:
        make(home)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "wb") as f:
            f.write(wire.digest_of(packed).encode() + packed)
        os.replace(temporary, path)
    except (OSError, StoreTrouble):
        with suppress(OSError):
            os.unlink(temporary)


def with_overrides(pipeline: Pipeline, overrides: Mapping[str, str]) -> Pipeline:
    """The pipeline with `-p name=value` applied, also in the paths it writes. Raises NameUnknown for an unknown one."""
    if not overrides:
        return settled(pipeline)
    if pipeline.params_file is not None:
        _check_names(pipeline, overrides)
    values = {name: scalar(text) for name, text in overrides.items()}
    return settled(msgspec.structs.replace(pipeline, params=overridden(pipeline.params, values)))


def _check_names(pipeline: Pipeline, overrides: Mapping[str, str]) -> None:
    known = set(flat(pipeline.params))
    for name in overrides:
        if name not in known:
            from difflib import get_close_matches

            close = get_close_matches(name, known, n=1)
            raise NameUnknown(
                f"{pipeline.params_file} has no parameter {name!r}",
                at=f"-p {name}",
                remedy=f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(known)[:8])}",
            )


def scalar(text: str) -> Scalar:
    """A value from the command line: JSON where it is JSON, else the text itself.

    >>> scalar("0.1"), scalar("true"), scalar("adam")
    (0.1, True, 'adam')

    Raises UsageMistaken for lists, mappings, and numbers that no log can hold.
    """
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    if isinstance(value, list | dict) or (isinstance(value, int) and not -(2**63) <= value < 2**63):
        raise UsageMistaken(
            f"{text[:40]!r} is not one value of at most 64 bits",
            at="-p",
            remedy="give a number, true, false, null or a text: -p lr=0.1",
        )
    return value  # type: ignore[no-any-return] # JSON's scalars are ours
