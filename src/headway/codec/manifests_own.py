"""A user's own Deployment with another image, model version and labels; every other letter of the file stays.

Comments, order, quotes and indentation are the user's: only the values that change are written over, and labels that
are missing are put before the first one. Neighbour: `manifests` writes whole manifests.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from headway.codec.manifests import Node, composed, faulty, parts
from headway.codec.quote import scalar
from headway.errors import Fault

VERSION_VARIABLE = "HEADWAY_MODEL_VERSION"
"""A variable of the container that gets `churn@3`, where the file has it."""


def patched(text: str, path: str, *, image: str, version: str, labels: Mapping[str, str]) -> str:
    """The file's text with another image, labels and model version (`churn@3`).

    Changed is the one Deployment of the file: the image of its container `server` or `model`, else of its first; the
    labels of itself and of its pods; the container's variable HEADWAY_MODEL_VERSION, if it has one. Raises FileFaulty,
    which calls the file `path`.

    >>> own = '''kind: Deployment  # ours
    ... metadata: {name: m}
    ... spec:
    ...   template:
    ...     metadata:
    ...       labels:
    ...         app: ml-model
    ...     spec:
    ...       containers:
    ...         - image: "web:1"   # built by CI
    ... '''
    >>> print(patched(own, "own.yaml", image="web:2", version="m@2", labels={"headway.dev/version": "2"}), end="")
    kind: Deployment  # ours
    metadata: {labels: {headway.dev/version: "2"}, name: m}
    spec:
      template:
        metadata:
          labels:
            headway.dev/version: "2"
            app: ml-model
        spec:
          containers:
            - image: "web:2"   # built by CI
    """
    found = [(before, part, node) for before, part in parts(text) if (node := composed(part, before, path)) is not None]
    ours = [(before, part, node) for before, part, node in found if _text(_get(node, "kind")) == "Deployment"]
    if len(ours) != 1:
        raise faulty(path, Fault(f"it has {len(ours)} Deployments", remedy="keep the one of the model in this file"))
    before, part, node = ours[0]
    edits = _edits(node, image, version, labels)
    if isinstance(edits, str):
        raise faulty(path, Fault(f"its Deployment has no {edits}", line=before + 1, remedy=f"write {edits}"))
    lines = text.splitlines(keepends=True)
    n_lines = len(part.splitlines())
    changed = _spliced(part, edits)
    return "".join((*lines[:before], changed, *lines[before + n_lines :]))


Edit = tuple[tuple[int, int], tuple[int, int], str]
"""From a line and column to another, and what stands there then."""


def _edits(node: Node, image: str, version: str, labels: Mapping[str, str]) -> list[Edit] | str:
    """What is to be changed, or what is missing for that."""
    meta, template = _get(node, "metadata"), _get(node, "spec", "template")
    pod_meta, containers = _get(template, "metadata"), _get(template, "spec", "containers")
    for part, name in ((meta, "metadata:"), (pod_meta, "spec.template.metadata:")):
        if part is None or part.id != "mapping" or not part.value:
            return name
        have = _get(part, "labels")
        if have is not None and have.id != "mapping" and not _is_null(have):
            return f"{name.removesuffix(':')}.labels: of names and values"
    container = _container(containers)
    if container is None:
        return "spec.template.spec.containers:"
    edits = [*_labelled(meta, labels), *_labelled(pod_meta, labels)]
    now = _get(container, "image")
    edits.append(_changed(now, image) if now is not None else _added(container, "image", scalar(image)))
    for variable in _items(_get(container, "env")):
        value = _get(variable, "value")
        if _text(_get(variable, "name")) == VERSION_VARIABLE and value is not None:
            edits.append(_changed(value, version))
    return edits


def _container(containers: Node) -> Node:
    found = [one for one in _items(containers) if one.id == "mapping" and one.value]
    named = [one for one in found if _text(_get(one, "name")) in ("server", "model")]
    return next(iter(named or found), None)


def _labelled(meta: Node, labels: Mapping[str, str]) -> Iterator[Edit]:
    have = _get(meta, "labels")
    if have is None:
        yield _added(meta, "labels", _flow(labels))
    elif not have.value or have.id != "mapping":
        yield _replaced(have, _flow(labels))
    else:
        for key, value in labels.items():
            now = _get(have, key)
            yield _changed(now, value) if now is not None else _added(have, key, scalar(value))


def _flow(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {scalar(value)}" for key, value in labels.items()) + "}"


def _changed(node: Node, value: str) -> Edit:
    # In the quotes that it has.
    plain = scalar(value)
    if node.style in ('"', "'") and "\\" not in plain and node.style not in value:
        plain = f"{node.style}{value}{node.style}"
    return _replaced(node, plain)


def _replaced(node: Node, value: str) -> Edit:
    begin, end = _at(node.start_mark), _at(node.end_mark)
    if begin == end:
        # Nothing stands there, right behind the colon.
        value = f" {value}"
    elif node.id == "scalar" and node.style in ("|", ">"):
        # A block has the end of its last line, too.
        value = f"{value}\n"
    return begin, end, value


def _added(mapping: Node, key: str, value: str) -> Edit:
    """Before its first key, on a line of its own where the mapping has lines."""
    first = mapping.value[0][0].start_mark
    between = ", " if mapping.flow_style else "\n" + " " * first.column
    return _at(first), _at(first), f"{key}: {value}{between}"


# Any: a mark of PyYAML.
def _at(mark: Any) -> tuple[int, int]:  # noqa: ANN401 (as above)
    return mark.line, mark.column


def _spliced(part: str, edits: list[Edit]) -> str:
    starts = [0]
    for line in part.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    # From the end, so that what stands before keeps its place; of two at one place the first stays the first.
    # An alias (`labels: *ours`) leads to one place twice, which is changed once.
    in_order = sorted(dict.fromkeys(edits), key=lambda edit: edit[0])
    for begin, end, value in reversed(in_order):
        first, last = starts[begin[0]] + begin[1], starts[end[0]] + end[1]
        # A value's name for aliases elsewhere stays with it.
        anchor = f"{part[first:last].split(maxsplit=1)[0]} " if part[first:last].startswith("&") else ""
        part = part[:first] + anchor + value + part[last:]
    return part


def _get(node: Node, *keys: str) -> Node:
    for key in keys:
        if node is None or node.id != "mapping":
            return None
        node = next((below for name, below in node.value if _text(name) == key), None)
    return node


def _items(node: Node) -> list[Node]:
    return list(node.value) if node is not None and node.id == "sequence" else []


def _is_null(node: Node) -> bool:
    return _text(node) in ("", "~", "null", "Null", "NULL") and not node.style


def _text(node: Node) -> str | None:
    return node.value if node is not None and node.id == "scalar" else None
