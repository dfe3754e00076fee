"""The pipeline file, read, or taken from the copy of the last reading when nothing changed.

Parsing YAML costs more than a whole run of cached steps; the compiled pipeline is kept under the digest of all that
it was made from. The copy is disposable: damaged or gone, it is made anew.
"""

import os
from collections.abc import Callable, Collection, Mapping

import msgspec

from headway import __version__
from headway.codec import wire
from headway.core.facts import Scalar
from headway.core.paths import settled
from headway.core.pipeline import Pipeline
from headway.core.plan import flat, overridden
from headway.errors import Fault, FileFaulty, FileMissing, NameUnknown, UsageMistaken

FILE = "pipeline.yaml"


class _Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled pipeline and the names and digests of the files it came from."""

    version: str
    files: dict[str, str]
    pipeline: Pipeline


def read(folder: str, file: str, *, home: str, step_types: Callable[[], Collection[str]]) -> Pipeline:
    """The pipeline in `file` (relative to `folder`). Raises FileMissing, FileFaulty with all faults.

    `step_types` gives the names that `uses:` may have; asked only when the file is really read.
    """
    data = _bytes(folder, file)
    if data is None:
        raise FileMissing(
            f"there is no {file} in {folder}",
            at=file,
            remedy="write one, or let `headway init` write it from the scripts it finds",
        )
    cached = os.path.join(home, "cache", "pipeline")
    found = _cached(cached, folder, file, data)
    if found is not None:
        return found
    from headway.codec.human import read_pipeline

    read_files: dict[str, str] = {file: wire.digest_of(data)}

    def beside(path: str) -> bytes | None:
        other = _bytes(folder, path)
        read_files[path] = wire.digest_of(other) if other is not None else ""
        return other

    pipeline = read_pipeline(data, path=file, known_step_types=step_types(), read_file=beside)
    _check_with(pipeline, file)
    compiled = _Compiled(version=__version__, files=read_files, pipeline=pipeline)
    _save(cached, wire.pack(compiled))
    return pipeline


def _check_with(pipeline: Pipeline, file: str) -> None:
    """What a step type will refuse in its `with:` is refused now, not after an hour of training."""
    from headway.steps import faults_of, find

    faults: dict[tuple[int, str], Fault] = {}
    for spec in pipeline.steps:
        if spec.uses is not None:
            for fault in faults_of(find(spec.uses), spec.with_values):
                # `with:` is kept without marks: the line is that of its step.
                fault.line, fault.column = spec.line, 1
                fault.where = f"steps.{spec.id}.{fault.where.rstrip('.')}"
                # A matrix repeats its faults under other ids.
                faults.setdefault((spec.line, fault.problem), fault)
    if faults:
        n = len(faults)
        raise FileFaulty(
            f"{file} has {n} fault{'s' * (n > 1)}",
            at=file,
            remedy="mend what is listed; docs/steps.md has every step type and its keys",
            faults=tuple(faults.values()),
        )


def _bytes(folder: str, path: str) -> bytes | None:
    try:
        with open(os.path.join(folder, path), "rb") as f:
            return f.read()
    except (FileNotFoundError, IsADirectoryError):
        return None


def _cached(path: str, folder: str, file: str, data: bytes) -> Pipeline | None:
    try:
        with open(path, "rb") as f:
            compiled = wire.unpack(f.read(), _Compiled)
    except (OSError, ValueError):
        return None
    if compiled.version != __version__:
        return None
    for name, digest in compiled.files.items():
        content = data if name == file else _bytes(folder, name)
        if (wire.digest_of(content) if content is not None else "") != digest:
            return None
    return compiled.pipeline if file in compiled.files else None


def _save(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "wb") as f:
        f.write(data)
    os.replace(temporary, path)


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
    """
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    if isinstance(value, list | dict):
        raise UsageMistaken(
            f"{text!r} is not one value", at="-p", remedy="give a number, true, false, null or a text: -p lr=0.1"
        )
    return value  # type: ignore[no-any-return] # JSON's scalars are ours
