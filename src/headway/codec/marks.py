"""YAML with the place of every value: text to marked nodes, nodes to plain values by the rules of YAML 1.2.

The only file that imports `yaml`. Knows nothing of what the values mean.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from headway.core.problem import Path
from headway.errors import Fault

# Any (here and below): a node of PyYAML, which is a class of its own for each kind; a plain value.
Node = Any

_STR, _MAP, _SEQ = "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_CORE = {f"tag:yaml.org,2002:{kind}": kind for kind in ("null", "bool", "int", "float")}
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), ".Inf": float("inf"), ".INF": float("inf"),
    "+.inf": float("inf"), "+.Inf": float("inf"), "+.INF": float("inf"),
    "-.inf": -float("inf"), "-.Inf": -float("inf"), "-.INF": -float("inf"),
    ".nan": float("nan"), ".NaN": float("nan"), ".NAN": float("nan"),
}  # fmt: skip
_NUMERIC = frozenset("0123456789+-.eE")
# The empty text is among them: a value that is missing is null.
_LEADING = frozenset(("", *"0123456789+-.~tTfFnN"))
_QUOTE_TAGS = "put texts that begin with ! in quotes"
# Aliases may repeat a value; more values than this are a bomb, not a pipeline.
_MOST = 1_000_000
_DEEPEST = 100


class Unreadable(Exception):
    """The text is not YAML; `fault` says where. Never leaves this package: `human` makes a FileFaulty of it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.problem)
        self.fault = fault


_loader: Callable[[str], Any] | None = None


def compose(text: str) -> Node:
    """The root node of the one document in `text`, or None when it is empty. Raises Unreadable."""
    import yaml

    global _loader  # noqa: PLW0603 (a class that can only be made once yaml is imported)
    if _loader is None:
        _loader = _make_loader(yaml)
    loader = None
    try:
        loader = _loader(text)
        return loader.get_single_node()
    except yaml.YAMLError as e:
        raise Unreadable(_syntax(e, text)) from e
    finally:
        if loader is not None:
            loader.dispose()


# Any: yaml is imported late, so its types have no names here.
def _make_loader(yaml: Any) -> Callable[[str], Any]:  # noqa: ANN401 (as above)
    """A composer that leaves kinds alone: `Values` decides them, by YAML 1.2. With libyaml where there is one."""
    parents: tuple[Any, ...]
    if yaml.__with_libyaml__:
        parents = (yaml.cyaml.CParser,)
    else:
        parents = (yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer)

    def begin(self: Any, text: str) -> None:  # noqa: ANN401 (a class made below)
        self.depth = 0
        for parent in parents:
            parent.__init__(self, *((text,) if parent is parents[0] else ()))

    methods = {"__init__": begin, "descend_resolver": _descend, "ascend_resolver": _ascend, "resolve": _resolve}
    return type("Loader", parents, methods)


def _descend(loader: Any, parent: Node, _index: object) -> None:  # noqa: ANN401 (as above)
    """Told before each node. libyaml's composer would overflow the stack of C, and end the process."""
    loader.depth += 1
    if loader.depth > _DEEPEST:
        raise Unreadable(fault_at(parent, f"values nest deeper than {_DEEPEST}", "write it flatter"))


def _ascend(loader: Any) -> None:  # noqa: ANN401 (as above)
    """Told after each node."""
    loader.depth -= 1


def _resolve(*_: object) -> None:
    """Asked for a node's kind, which `Values` decides."""


_SYNTAX = (
    ("a tab stands", "use blanks, not tabs, to indent"),
    ("mapping values are not allowed", "put texts that hold `: ` in quotes, and check the indentation"),
    ("could not find expected ':'", "a key ends with `: `; check the indentation of the line above too"),
    ("did not find expected ',' or '}'", 'put expressions inside { } in quotes: {model: "${{ … }}"}'),
    ("did not find expected ',' or ']'", 'put expressions inside [ ] in quotes: ["${{ … }}"]'),
    ("did not find expected key", "check the indentation: keys of one mapping stand in one column"),
    ("did not find expected '-' indicator", "check the indentation: all dashes of one list stand in one column"),
    ("undefined alias", "a `*` begins an alias; put texts that begin with it in quotes"),
    ("cannot start any token", "put texts that begin with %, @ or ` in quotes"),
    ("expected a single document", "keep one document in the file: take out `---`"),
    ("found unexpected end of stream", "close the quote"),
)


# Any: an exception of yaml.
def _syntax(e: Any, text: str) -> Fault:  # noqa: ANN401 (as above)
    problem = " ".join(str(getattr(e, "problem", None) or getattr(e, "reason", None) or e).split())
    if problem.startswith("but "):
        problem = f"{e.context}, {problem}"
    mark = getattr(e, "problem_mark", None) or getattr(e, "context_mark", None)
    if mark is not None:
        line, column = mark.line, mark.column
    else:
        position = getattr(e, "position", 0)
        line = text.count("\n", 0, position)
        column = position - (text.rfind("\n", 0, position) + 1)
    if text.splitlines()[line : line + 1] and text.splitlines()[line][column : column + 1] == "\t":
        problem = "a tab stands where only blanks may"
    remedy = next((cure for sign, cure in _SYNTAX if sign in problem), "check this line and the one above it")
    return Fault(f"not YAML: {problem}", line=line + 1, column=column + 1, remedy=remedy)


# --- nodes to plain values ------------------------------------------------------------------------------------------


class Values:
    """Makes plain values of nodes; what cannot be one is put into `faults` as (node, problem, remedy)."""

    __slots__ = ("_open", "_shared", "_sizes", "faults")

    def __init__(self, *, has_aliases: bool) -> None:
        self.faults: list[tuple[Node, str, str]] = []
        self._shared: dict[int, Any] | None = {} if has_aliases else None
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def of(self, node: Node) -> Any:  # noqa: ANN401 (as above)
        """The plain value of a node."""
        value = node.value
        if type(value) is not str:
            return self._collection(node) if self._shared is None else self._once(node)
        if node.tag is not None:
            return self._tagged(value, node)
        if node.style:
            if "\0" in value:
                self.faults.append((node, "the text holds a NUL", "take \\0 out"))
            return value
        return self._plain(value, node) if value[:1] in _LEADING else value

    def _collection(self, node: Node) -> Any:  # noqa: ANN401 (as above)
        if node.tag is not None and node.tag not in (_MAP, _SEQ):
            self.faults.append((node, f"the tag {_tag(node.tag)} is not known", "take it out"))
        if node.id == "sequence":
            return [self.of(below) for below in node.value]
        found: dict[str, Any] = {}
        for key, below in node.value:
            found[key.value if type(key.value) is str else self._odd_key(key)] = self.of(below)
        if len(found) != len(node.value):
            self._duplicates(node)
        if "\0" in "".join(found):
            self.faults.append((node, "a key holds a NUL", "take \\0 out"))
        if "<<" in found:
            self._merge(node, found)
        return found

    def _tagged(self, text: str, node: Node) -> Any:  # noqa: ANN401 (as above)
        """A scalar with a kind written before it: `!!str 10`."""
        if node.tag == _STR:
            return text
        value = self._plain(text, node)
        kinds = {"null": value is None, "bool": isinstance(value, bool)}
        kinds["int"] = isinstance(value, int) and not isinstance(value, bool)
        kinds["float"] = isinstance(value, float) or kinds["int"]
        kind = _CORE.get(node.tag)
        if kind is None:
            self.faults.append((node, f"the tag {_tag(node.tag)} is not known", _QUOTE_TAGS))
            return f"{node.tag} {text}".strip()
        if not kinds[kind]:
            self.faults.append((node, f"`{text}` is not of the kind {_tag(node.tag)}", "take the tag out"))
        return value

    def _plain(self, text: str, node: Node) -> Any:  # noqa: ANN401 (as above)
        if text in _WORDS:
            return _WORDS[text]
        if _NUMERIC.issuperset(text):
            return self._number(text, node)
        if text.startswith(("0x", "0o")):
            try:
                return self._in_range(int(text, 0), node) if "_" not in text else text
            except ValueError:
                return text
        return text

    def _number(self, text: str, node: Node) -> int | float | str:
        try:
            if text.lstrip("+-").isdigit():
                # Python reads no integer of thousands of digits; 40 are too many already.
                return self._in_range(int(text[:40]), node)
            return float(text)
        except ValueError:
            return text

    def _in_range(self, value: int, node: Node) -> int:
        if not -(1 << 63) <= value < 1 << 63:
            self.faults.append((node, "the number does not fit into 64 bits", "put it in quotes to make it a text"))
            return 0
        return value

    def _odd_key(self, key: Node) -> str:
        self.faults.append((key, "a key must be a text", "write one word before the `:`"))
        return ""

    def _duplicates(self, node: Node) -> None:
        seen: dict[str, Node] = {}
        for key, _ in node.value:
            if type(key.value) is not str:
                continue
            if key.value in seen:
                line = seen[key.value].start_mark.line + 1
                self.faults.append((key, f"`{key.value}` is given twice, first in line {line}", "keep one of them"))
            else:
                seen[key.value] = key

    def _merge(self, node: Node, found: dict[str, Any]) -> None:
        """`<<: *other` takes over the keys that are not given here, as YAML 1.1 has it and people use it."""
        if any(key.value == "<<" and key.style for key, _ in node.value):
            # In quotes it is a key like any other.
            return
        others = found.pop("<<")
        for other in others if isinstance(others, list) else [others]:
            if isinstance(other, dict):
                for key, value in other.items():
                    found.setdefault(key, value)
            else:
                at = next(key for key, _ in node.value if key.value == "<<")
                self.faults.append((at, "`<<` takes a mapping, or a list of them", "write <<: *name"))

    def _once(self, node: Node) -> Any:  # noqa: ANN401 (as above)
        """A collection that may be met again through an alias: made once, its repetitions counted."""
        assert self._shared is not None
        name = id(node)
        if name in self._open:
            self.faults.append((node, "an alias stands inside what it stands for", "write the value out"))
            return None
        if name not in self._shared:
            self._open.add(name)
            self._shared[name] = self._collection(node)
            self._open.discard(name)
            self._sizes[name] = size = 1 + sum(self._sizes.get(id(n), 1) for n in _below(node))
            if size > _MOST:
                problem = f"aliases repeat values more than {_MOST} times"
                raise Unreadable(fault_at(node, problem, "write fewer aliases"))
        return self._shared[name]


def _below(node: Node) -> Iterator[Node]:
    for below in node.value:
        if isinstance(below, tuple):
            yield below[1]
        else:
            yield below


def _tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!", 1)


# --- places ---------------------------------------------------------------------------------------------------------


def fault_at(node: Node, problem: str, remedy: str, *, where: str = "") -> Fault:
    """A fault at the beginning of a node."""
    mark = node.start_mark
    return Fault(problem, line=mark.line + 1, column=mark.column + 1, where=where, remedy=remedy)


def find(root: Node, path: Path, *, at_key: bool = False) -> Node:
    """The node at a path, or the nearest above it; with `at_key` the key it stands under."""
    node, key = root, root
    for part in path:
        if node.id == "mapping":
            pair = _pair(node, str(part), 0)
            if pair is None:
                return node
            key, node = pair
        elif node.id == "sequence" and isinstance(part, int) and part < len(node.value):
            key = node = node.value[part]
        else:
            return node
    return key if at_key else node


def _pair(node: Node, name: str, depth: int) -> tuple[Node, Node] | None:
    """The last key of that name and its value, also among what `<<` takes over."""
    for key, value in reversed(node.value):
        if key.value == name:
            return key, value
    for key, value in node.value:
        if key.value == "<<" and not key.style and depth < 20:
            for other in value.value if value.id == "sequence" else [value]:
                if other.id == "mapping" and (pair := _pair(other, name, depth + 1)) is not None:
                    return pair
    return None


def path_to(root: Node, wanted: Node) -> Path:
    """Where a node, or the key of one, stands below the root."""
    todo: list[tuple[Node, Path]] = [(root, ())]
    seen: set[int] = set()
    while todo:
        node, path = todo.pop()
        if node is wanted:
            return path
        if type(node.value) is str or id(node) in seen:
            continue
        seen.add(id(node))
        for i, below in enumerate(node.value):
            if isinstance(below, tuple):
                key, value = below
                under = (*path, str(key.value))
                if key is wanted:
                    return under
                todo.append((value, under))
            else:
                todo.append((below, (*path, i)))
    return ()


def place(node: Node, lines: Sequence[str], offset: int) -> tuple[int, int]:
    """Line and column (from 1) of the character at `offset` of a scalar's value, as near as its style allows.

    Quotes, folding and indentation make a value differ from what is written, so what stands there is looked for.
    """
    start, end = node.start_mark, node.end_mark
    if offset >= 0 and type(node.value) is str:
        written = list(lines[start.line : end.line + 1])
        if written:
            # Blanks instead of what stands before the value keep the columns.
            written[0] = " " * start.column + written[0][start.column :]
        for length in (24, 12, 6, 3, 1):
            word = node.value[offset : offset + length].partition("\n")[0]
            found = _nth(written, word, node.value.count(word, 0, offset)) if word else None
            if found is not None:
                return start.line + found[0] + 1, found[1] + 1
    return start.line + 1, start.column + 1


def _nth(lines: Sequence[str], word: str, n: int) -> tuple[int, int] | None:
    """Line and column (from 0) of the n-th (from 0) place of a word."""
    for i, line in enumerate(lines):
        at = line.find(word)
        while at >= 0:
            if not n:
                return i, at
            n -= 1
            at = line.find(word, at + len(word))
    return None
