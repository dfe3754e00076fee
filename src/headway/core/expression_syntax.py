"""Text to tree: the grammar of `${{ … }}`, GitHub's operators, literals and calls.

A tree is nested tuples, led by a word: `("value", x)`, `("ref", root, path, offset)`, `("call", name, args, offset)`,
`("not", tree)`, `("and", trees)`, `("or", trees)`, `("compare", operator, left, right)`. It knows which functions
exist and how many arguments they take, and nothing of what names stand for: that is `core/expression`.
"""

from typing import Any

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
_COMPARED = frozenset({"==", "!=", "<", "<=", ">", ">="})
_TIGHT = frozenset({"<", "<=", ">", ">="})
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_DIGITS = frozenset("0123456789")
_NUMBER = frozenset("0123456789abcdefxoABCDEFXO.+-_")
# GitHub's own limits are 50 deep and 21,000 characters; the first also keeps Python's stack safe.
_DEEPEST = 50
_LONGEST = 21_000
_KEPT = 4096


def unreadable(problem: str, remedy: str, offset: int = 0) -> ExpressionUnreadable:
    """The error for an expression; `offset` is where in its text, for whoever knows the file's line and column."""
    return ExpressionUnreadable(problem, at="expression", remedy=remedy, offset=offset)


def nearest(word: str, known: Any) -> str:  # noqa: ANN401 (any iterable of names)
    """The known word that was probably meant, or nothing."""
    from difflib import get_close_matches

    by_lower = {k.lower(): k for k in known}
    close = get_close_matches(word.lower(), by_lower, 1, 0.6)
    return by_lower[close[0]] if close else ""


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
        parts.append((_shifted(text[begin:end], begin), begin))
        at = end + len(CLOSE)
    if at < len(text):
        parts.append(text[at:])
    return parts


def _shifted(text: str, by: int) -> Tree:
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
    tree = _shifted(bare, begin)
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
        self.tokens = _tokens(text)
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
            near = nearest(word, FUNCTIONS)
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


# Any: a token's value is a text, a number or an operator.
def _tokens(text: str) -> list[tuple[str, Any, int]]:
    tokens: list[tuple[str, Any, int]] = []
    i, n = 0, len(text)
    while i < n:
        c = text[i]
        if c in " \t\r\n":
            i += 1
        elif c in _WORD and (c not in _DIGITS or _after_dot(tokens)) and c != "-":
            start = i
            while i < n and text[i] in _WORD:
                i += 1
            tokens.append(("word", text[start:i], start))
        elif c in _DIGITS or (c in "+-." and _starts_number(text, i)):
            start = i
            while i < n and text[i] in _NUMBER and (text[i] not in "+-" or i == start or text[i - 1] in "eE"):
                i += 1
            tokens.append(("value", _number(text[start:i], start), start))
        elif c == "'":
            value, i = _quoted(text, i)
            tokens.append(("value", value, i))
        else:
            word = _operator(text, i)
            tokens.append(("operator", word, i))
            i += len(word)
    tokens.append(("end", "", n))
    return tokens


def _after_dot(tokens: list[tuple[str, Any, int]]) -> bool:
    """A name after a dot may begin with a digit: the id of a step named `1st try` does."""
    return bool(tokens) and tokens[-1][:2] == ("operator", ".")


def _starts_number(text: str, i: int) -> bool:
    rest = text[i : i + 2]
    if rest[0] == ".":
        # `.5` is a number, `a.5` a name after a dot: the word before decides.
        return len(rest) == 2 and rest[1] in _DIGITS and not (i and (text[i - 1] in _WORD or text[i - 1] in ")]"))
    return len(rest) == 2 and (rest[1] in _DIGITS or rest[1] == ".")


def _number(text: str, at: int) -> int | float:
    lower = text.lower().lstrip("+-")
    sign = -1 if text.startswith("-") else 1
    try:
        if "_" not in text and len(text) <= 40:
            if lower.startswith(("0x", "0o")):
                return sign * int(lower, 0)
            return float(text) if any(c in ".e" for c in lower) else int(text)
    except ValueError:
        pass
    raise unreadable(f"`{text}` is not a number", "write it like 10, -3, 0.5, 1e-4 or 0xff", at)


def _quoted(text: str, i: int) -> tuple[str, int]:
    pieces = []
    at = i + 1
    while True:
        end = text.find("'", at)
        if end < 0:
            raise unreadable("a text is never closed", "close it with a single quote; '' stands for one inside", i)
        pieces.append(text[at:end])
        if text[end + 1 : end + 2] != "'":
            return "'".join(pieces), end + 1
        at = end + 2


def _operator(text: str, i: int) -> str:
    two = text[i : i + 2]
    if two in _COMPARED or two in ("&&", "||"):
        return two
    c = text[i]
    if c in "()[].,!<>":
        return c
    remedy = {
        '"': "put texts in 'single quotes'",
        "=": "compare with `==`",
        "&": "write `&&`",
        "|": "write `||`",
        "$": "leave out `${{` and `}}` inside an expression",
        "*": "name one value; there is no `*`",
    }.get(c, "there are names, numbers, 'texts', == != < <= > >= && || ! ( ) and functions")
    raise unreadable(f"`{c}` is not part of the language of expressions", remedy, i)
