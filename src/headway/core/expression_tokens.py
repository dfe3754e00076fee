"""Text to tokens: the words, numbers, texts and operators of an expression, each with its place."""

from typing import Any

from headway.errors import ExpressionUnreadable

_COMPARED = frozenset({"==", "!=", "<", "<=", ">", ">="})
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_DIGITS = frozenset("0123456789")
_NUMBER = frozenset("0123456789abcdefxoABCDEFXO.+-_")


def unreadable(problem: str, remedy: str, offset: int = 0) -> ExpressionUnreadable:
    """The error for an expression; `offset` is where in its text, for whoever knows the file's line and column."""
    return ExpressionUnreadable(problem, at="expression", remedy=remedy, offset=offset)


# Any: a token's value is a text, a number or an operator.
def tokens_of(text: str) -> list[tuple[str, Any, int]]:
    """Kind (value, word, operator, end), value and offset of each. Raises ExpressionUnreadable."""
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
