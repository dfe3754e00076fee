"""Text to tree: the grammar of `${{ … }}`, GitHub's operators, literals and calls.

A tree is nested tuples, led by a word: `("value", x)`, `("ref", root, path, offset)`, `("call", name, args, offset)`,
`("not", tree)`, `("and", trees)`, `("or", trees)`, `("compare", operator, left, right)`. It knows which functions
exist and how many arguments they take, and nothing of what names stand for: that is `core/expression`.
"""

from typing import Any

from headway.core.expression_tokens import tokens_of, unreadable
from headway.core.problem import close_to
from headway.errors import ExpressionUnreadable

# Any: a recursive tuple type costs more to read than it proves; the forms are listed above.
Tree = tuple[Any, ...]

FUNCTIONS: dict[str, tuple[int, int]] = {
    "success": (0, 0),
    "failure": (0, 0),
    "always": (0, 0),
    "cancelled": (0, 0),
    "contains": (2, 2),
    "startsWith": (2, 2),
    "endsWith": (2, 2),
    "format": (1, 99),
    "join": (1, 2),
}
"""Each function with the least and the most arguments it takes."""

STATUS = frozenset({"success", "failure", "always", "cancelled"})
"""The functions that ask how the run is going; a condition without one of them means `success() && …`."""

OPEN, CLOSE = "${{", "}}"

_SPELLED = {name.lower(): name for name in FUNCTIONS}
_LITERALS = {"true": True, "false": False, "null": None}
_TIGHT = frozenset({"<", "<=", ">", ">="})
# GitHub's own limits are 50 deep and 21,000 characters; the first also keeps Python's stack safe.
_DEEPEST = 50
_LONGEST = 21_000
_KEPT = 4096


def end_of(text: str, start: int) -> int:
    """Where the `}}` is that closes the `${{` at `start`, quoted texts inside apart; -1 when there is none.

    >>> end_of("a ${{ '}}' }} b", 2)
    11
    """
    at = start + len(OPEN)
    while True:
        close = text.find(CLOSE, at)
        quote = text.find("'", at)
        if close < 0 or quote < 0 or close < quote:
            return close
        at = text.find("'", quote + 1) + 1
        if not at:
            return -1


_trees: dict[str, Tree] = {}


def parse(text: str) -> Tree:
    """The tree of one expression (without its braces). Raises ExpressionUnreadable. Remembered."""
    tree = _trees.get(text)
    if tree is None:
        if len(_trees) >= _KEPT:
            _trees.clear()
        tree = _trees[text] = _Parser(text).whole()
    return tree


_templates: dict[str, tuple[str | tuple[Tree, int], ...]] = {}


def template(text: str) -> tuple[str | tuple[Tree, int], ...]:
    """The text cut into plain pieces and expressions, each with the offset of its first character. Remembered.

    Raises ExpressionUnreadable, with the offset in the whole text.
    """
    parts = _templates.get(text)
    if parts is None:
        if len(_templates) >= _KEPT:
            _templates.clear()
        parts = _templates[text] = tuple(_cut(text))
    return parts


def _cut(text: str) -> list[str | tuple[Tree, int]]:
    parts: list[str | tuple[Tree, int]] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        if start > at:
            parts.append(text[at:start])
        end = end_of(text, start)
        if end < 0:
            raise unreadable("`${{` is never closed", "close it with `}}`", start)
        begin = start + len(OPEN)
        parts.append((shifted(text[begin:end], begin), begin))
        at = end + len(CLOSE)
    if at < len(text):
        parts.append(text[at:])
    return parts


def shifted(text: str, by: int) -> Tree:
    """`parse`, for a text that stands `by` characters into another: the offset of an error counts from there."""
    try:
        return parse(text)
    except ExpressionUnreadable as e:
        raise unreadable(e.problem, e.remedy, e.offset + by) from e


_conditions: dict[str, tuple[Tree, int]] = {}


def condition(text: str) -> tuple[Tree, int]:
    """The tree of an `if:`, with or without `${{ }}`, and the offset of its first character; empty is `success()`.

    Without a status function it is joined to `success()`, as GitHub does. Raises ExpressionUnreadable.
    """
    kept = _conditions.get(text)
    if kept is None:
        if len(_conditions) >= _KEPT:
            _conditions.clear()
        kept = _conditions[text] = _condition(text)
    return kept


def _condition(text: str) -> tuple[Tree, int]:
    bare, begin = text, 0
    start = text.find(OPEN)
    if start >= 0:
        end = end_of(text, start)
        if end < 0:
            raise unreadable("`${{` is never closed", "close it with `}}`", start)
        if text[:start].strip() or text[end + len(CLOSE) :].strip():
            # GitHub takes this for a text, and a text that is not empty is always true: a known trap.
            raise unreadable(
                "the condition stands partly inside `${{ }}` and partly outside",
                "leave out `${{` and `}}`: a condition is an expression as it stands",
                start,
            )
        begin = start + len(OPEN)
        bare = text[begin:end]
    if not bare.strip():
        return ("call", "success", (), 0), begin
    tree = shifted(bare, begin)
    if not names_status(tree):
        tree = ("and", (("call", "success", (), 0), tree))
    return tree, begin


def names_status(tree: Tree) -> bool:
    """Whether `success()`, `failure()`, `always()` or `cancelled()` is asked anywhere in the tree."""
    return any(node[0] == "call" and node[1] in STATUS for node in walk(tree))


def walk(tree: Tree) -> list[Tree]:
    """Every node of the tree, outermost first, left to right."""
    found = []
    todo = [tree]
    while todo:
        node = todo.pop()
        found.append(node)
        todo.extend(reversed(_below(node)))
    return found


def _below(node: Tree) -> tuple[Tree, ...]:
    match node[0]:
        case "and" | "or":
            return tuple(node[1])
        case "not":
            return (node[1],)
        case "compare":
            return (node[2], node[3])
        case "call":
            return tuple(node[2])
        case "ref":
            return tuple(p for p in node[2] if isinstance(p, tuple))
    return ()


class _Parser:
    """Reads one expression from left to right; made, used once, dropped."""

    __slots__ = ("depth", "i", "tokens")

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise unreadable(f"the expression has {len(text)} characters", f"keep it under {_LONGEST}")
        self.tokens = tokens_of(text)
        self.i = 0
        self.depth = 0

    def whole(self) -> Tree:
        if self.tokens[0][0] == "end":
            raise unreadable("the expression is empty", "write what it stands for: ${{ params.lr }}")
        tree = self.either()
        kind, word, at = self.tokens[self.i]
        if kind != "end":
            raise unreadable(
                f"`{word}` is not expected here",
                "join values with == != < <= > >= && ||, and put texts in 'single quotes'",
                at,
            )
        return tree

    def accept(self, *operators: str) -> str:
        kind, word, _ = self.tokens[self.i]
        if kind == "operator" and word in operators:
            self.i += 1
            return str(word)
        return ""

    def expect(self, operator: str) -> None:
        if not self.accept(operator):
            kind, word, at = self.tokens[self.i]
            found = "the end" if kind == "end" else f"`{word}`"
            raise unreadable(f"`{operator}` is missing before {found}", f"add the `{operator}`", at)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise unreadable(f"the expression nests deeper than {_DEEPEST}", "make it shorter", self.tokens[self.i][2])

    def either(self) -> Tree:
        self.deeper()
        trees = [self.both()]
        while self.accept("||"):
            trees.append(self.both())
        self.depth -= 1
        return trees[0] if len(trees) == 1 else ("or", tuple(trees))

    def both(self) -> Tree:
        trees = [self.equal()]
        while self.accept("&&"):
            trees.append(self.equal())
        return trees[0] if len(trees) == 1 else ("and", tuple(trees))

    def equal(self) -> Tree:
        before = self.depth
        left = self.ordered()
        while operator := self.accept("==", "!="):
            self.deeper()
            left = ("compare", operator, left, self.ordered())
        self.depth = before
        return left

    def ordered(self) -> Tree:
        before = self.depth
        left = self.unary()
        while operator := self.accept(*_TIGHT):
            self.deeper()
            left = ("compare", operator, left, self.unary())
        self.depth = before
        return left

    def unary(self) -> Tree:
        if self.accept("!"):
            self.deeper()
            tree = ("not", self.unary())
            self.depth -= 1
            return tree
        return self.primary()

    def primary(self) -> Tree:
        kind, word, at = self.tokens[self.i]
        self.i += 1
        if kind == "value":
            return ("value", word)
        if kind == "operator" and word == "(":
            tree = self.either()
            self.expect(")")
            return tree
        if kind != "word":
            found = "the end" if kind == "end" else f"`{word}`"
            raise unreadable(f"a value is missing before {found}", "write a name, a number or a 'text' there", at)
        if self.accept("("):
            return self.call(word, at)
        if word.lower() in _LITERALS:
            return ("value", _LITERALS[word.lower()])
        return ("ref", word, self.path(), at)

    def call(self, word: str, at: int) -> Tree:
        name = _SPELLED.get(word.lower())
        if name is None:
            near = close_to(word, FUNCTIONS)
            raise unreadable(
                f"there is no function `{word}`",
                f"did you mean `{near}`?" if near else "there are " + ", ".join(FUNCTIONS),
                at,
            )
        arguments: list[Tree] = []
        if not self.accept(")"):
            arguments.append(self.either())
            while self.accept(","):
                arguments.append(self.either())
            self.expect(")")
        least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"at least {least}" if most == 99 else f"{least} to {most}"
            raise unreadable(f"`{name}` takes {wanted} values, not {len(arguments)}", "see docs/pipeline.md", at)
        return ("call", name, tuple(arguments), at)

    def path(self) -> tuple[str | int | Tree, ...]:
        steps: list[str | int | Tree] = []
        while True:
            if self.accept("."):
                kind, word, at = self.tokens[self.i]
                if kind != "word":
                    raise unreadable("a name is missing after `.`", "write the name: params.train.lr", at)
                self.i += 1
                steps.append(word)
            elif self.accept("["):
                tree = self.either()
                self.expect("]")
                literal = tree[0] == "value" and isinstance(tree[1], str | int) and not isinstance(tree[1], bool)
                steps.append(tree[1] if literal else tree)
            else:
                return tuple(steps)
