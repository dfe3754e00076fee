"""Kubernetes manifests as YAML text: one document each, keys in the order given, the same text for the same values.

Written so that people, kubectl, Kustomize and Helm read the same: texts of many lines as blocks, everything that some
reader might take for a number or truth value in quotes. Reads them back, too, and the one file that kubectl is set up
with.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from headway.codec.marks import Unreadable, Values, compose
from headway.codec.quote import scalar
from headway.errors import Fault, FileFaulty

# Any: a node of PyYAML, see `marks`.
Node = Any


def text(manifests: Iterable[Mapping[str, Any]]) -> str:
    r"""The documents, divided by `---`.

    >>> print(text([{"kind": "Service", "spec": {"ports": [{"port": 80}], "on": "yes", "empty": {}}}]), end="")
    kind: Service
    spec:
      ports:
        - port: 80
      "on": "yes"
      empty: {}
    """
    return "---\n".join("".join(f"{line}\n" for line in _mapping(one)) for one in manifests)


def _mapping(values: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        lines += _entry(f"{_key(key)}:", value)
    return lines


def _key(key: str) -> str:
    # `headway.dev/endpoint` and such need no quotes, and nobody writes them with any.
    return key if scalar(key.replace("/", "")) == key.replace("/", "") else scalar(key)


# Any: a value of JSON.
def _entry(lead: str, value: Any) -> list[str]:  # noqa: ANN401 (as above)
    if isinstance(value, Mapping) and value:
        return [lead, *(f"  {line}" for line in _mapping(value))]
    if isinstance(value, list | tuple) and value:
        return [lead, *(f"  {line}" for item in value for line in _item(item))]
    if isinstance(value, str) and _is_block(value):
        mark = "|" if value.endswith("\n") else "|-"
        return [f"{lead} {mark}", *(f"  {line}" if line else "" for line in value.removesuffix("\n").split("\n"))]
    return [f"{lead} {_plain(value)}"]


def _is_block(value: str) -> bool:
    lines = value.split("\n")
    is_clean = all(line.isprintable() and not line.endswith(" ") for line in lines)
    return len(lines) > 1 and is_clean and bool(lines[0].strip()) and lines[0][0] != " " and not value.endswith("\n\n")


def _item(value: Any) -> list[str]:  # noqa: ANN401 (as above)
    if isinstance(value, Mapping) and value:
        first, *rest = _mapping(value)
        return [f"- {first}", *(f"  {line}" for line in rest)]
    return [f"- {_plain(value)}"]


def _plain(value: Any) -> str:  # noqa: ANN401 (as above)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {_plain(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    return "null" if value is None else scalar(value)


# Any: objects of the Kubernetes API are open JSON.
def read(data: bytes, path: str) -> list[dict[str, Any]]:
    """The mappings in a file of YAML documents; empty ones are none. Raises FileFaulty, with `path` as its name."""
    found = []
    for n_before, part in parts(decoded(data, path)):
        value = _value(part, n_before, path)
        if isinstance(value, dict):
            found.append(value)
        elif value is not None:
            fault = Fault("a document is no mapping", line=n_before + 1, remedy="write `apiVersion:` and `kind:`")
            raise faulty(path, fault)
    return found


def decoded(data: bytes, path: str) -> str:
    """The text of a file. Raises FileFaulty when it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise faulty(path, Fault("it is not UTF-8", line=line, remedy="save it as UTF-8")) from e


def parts(whole: str) -> list[tuple[int, str]]:
    """The documents of a text, each with the number of lines before it."""
    found: list[tuple[int, list[str]]] = [(0, [])]
    for number, line in enumerate(whole.splitlines(keepends=True), 1):
        begins = line.startswith("---") and not line[3:4].strip()
        has_more = begins and bool(line[3:].strip().partition("#")[0])
        if begins:
            found.append((number - has_more, []))
        if has_more or not begins:
            found[-1][1].append(line)
    return [(before, "".join(lines)) for before, lines in found]


def _value(part: str, n_before: int, path: str) -> Any:  # noqa: ANN401 (as above)
    node = composed(part, n_before, path)
    if node is None:
        return None
    values = Values(has_aliases="*" in part)
    value = values.of(node)
    if values.faults:
        at, problem, remedy = values.faults[0]
        mark = at.start_mark
        raise faulty(path, Fault(problem, line=mark.line + 1 + n_before, column=mark.column + 1, remedy=remedy))
    return value


def composed(part: str, n_before: int, path: str) -> Node:
    """The marked node of one of `parts`, None when it is empty. Raises FileFaulty with the place in the whole file."""
    try:
        return compose(part)
    except Unreadable as e:
        e.fault.line += n_before
        raise faulty(path, e.fault) from e


def faulty(path: str, fault: Fault) -> FileFaulty:
    """The error of a file with one fault, as the file is called."""
    fault.file = path
    at = f"{path}:{fault.line}" if fault.line else path
    return FileFaulty(f"{path}: {fault.problem}", at=at, remedy=fault.remedy, faults=(fault,))
