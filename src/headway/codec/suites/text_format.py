"""Protocol buffers' text format, as far as schemas are written in it: messages, numbers, words and texts.

A message is a mapping from field names to the list of their values, for any field may be repeated. Knows no message
types. Source: https://protobuf.dev/reference/protobuf/textformat-spec.
"""

import re
import sys
from typing import Any

from headway.errors import Fault, FileFaulty

# Any: messages within messages.
Message = dict[str, list[Any]]

_SIGN = re.compile(
    r"""(?:[ \t\r\n\v\f]|\#[^\n]*)*(?P<sign>
      "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
    | -?[ ]*[0-9.][0-9A-Za-z.+-]* | -[ ]*[A-Za-z]+ | [A-Za-z_][A-Za-z0-9_./-]* | [{}<>\[\]:;,] | $ )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ENDS = {"{": "}", "<": ">"}
_DEEPEST = 100
_LONGEST = 100
"""Digits of a whole number; no field of any message takes so many."""


def read_message(text: str, *, path: str) -> Message:
    """The message that a text holds. Raises FileFaulty with the place where it is none.

    >>> read_message('feature { name: "a" type: INT int_domain { max: 3 } }', path="x")
    {'feature': [{'name': ['a'], 'type': ['INT'], 'int_domain': [{'max': [3]}]}]}
    """
    return _Reading(text, path).message("")


class _Reading:
    """A text on its way to a message."""

    __slots__ = ("at", "begin", "depth", "path", "text")

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path
        self.at = self.begin = self.depth = 0

    def fault(self, problem: str) -> FileFaulty:
        line = self.text.count("\n", 0, self.begin) + 1
        column = self.begin - self.text.rfind("\n", 0, self.begin)
        remedy = "write field: value, or field { … }"
        lines = self.text.splitlines()
        excerpt = lines[line - 1] if line <= len(lines) else ""
        fault = Fault(problem, line=line, column=column, excerpt=excerpt, remedy=remedy)
        return FileFaulty(f"{self.path} has 1 fault", at=f"{self.path}:{line}:{column}", remedy=remedy, faults=(fault,))

    def next(self) -> str:
        """The next sign, word, number or text; empty at the end."""
        found = _SIGN.match(self.text, self.at)
        if found is None:
            blank = re.compile(r"(?:\s|#[^\n]*)*").match(self.text, self.at)
            self.begin = blank.end() if blank else self.at
            raise self.fault("this is no text format of protocol buffers")
        self.begin = found.start("sign")
        self.at = found.end()
        return found["sign"]

    def peek(self) -> str:
        before = self.at, self.begin
        sign = self.next()
        self.at, self.begin = before
        return sign

    def message(self, end: str) -> Message:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.fault(f"messages nest deeper than {_DEEPEST}")
        found: Message = {}
        while True:
            sign = self.next()
            if sign == end:
                self.depth -= 1
                return found
            if sign in (";", ","):
                continue
            name = self.name(sign)
            colon = self.peek() == ":" and self.next()
            values = found.setdefault(name, [])
            if self.peek() == "[":
                self.next()
                values += self.listed()
            elif self.peek() in _ENDS or colon:
                values.append(self.value())
            else:
                self.next()
                raise self.fault("a `:` or a `{` is missing before this")

    def name(self, sign: str) -> str:
        if sign == "[":
            inner = self.next()
            if self.next() != "]":
                raise self.fault("a `]` is missing before this")
            return f"[{inner}]"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", sign):
            raise self.fault(f"`{sign}` is no name of a field" if sign else "a message does not end")
        return sign

    def listed(self) -> list[Any]:
        found: list[Any] = []
        while self.peek() != "]":
            found.append(self.value())
            if self.peek() == ",":
                self.next()
        self.next()
        return found

    def value(self) -> Any:  # noqa: ANN401 (as above)
        sign = self.next()
        if sign in _ENDS:
            return self.message(_ENDS[sign])
        if sign[:1] in "\"'" and sign:
            text = _unescaped(sign)
            while self.peek()[:1] in ('"', "'"):
                text += _unescaped(self.next())
            try:
                return text.encode("latin-1").decode()
            except UnicodeError:
                return text
        if not sign or sign in "{}<>[]:;,":
            raise self.fault("a value is missing here")
        return _scalar(sign.replace(" ", ""))


def _scalar(sign: str) -> Any:  # noqa: ANN401 (as above)
    """A number, true or false, or a word of an enumeration."""
    if sign in ("true", "false"):
        return sign == "true"
    if re.fullmatch(r"-?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", sign) and len(sign) <= _LONGEST:
        is_octal = re.fullmatch(r"-?0[0-7]+", sign) is not None
        return int(sign, 8 if is_octal else 0)
    plain = sign[:-1] if sign[-1:] in "fF" and sign[:1] in "-.0123456789" else sign
    try:
        return float(plain)
    except ValueError:
        return sign


def _unescaped(quoted: str) -> str:
    """The bytes of a literal, each as the character of that number; they are UTF-8 together."""
    inner = "".join(chr(byte) for byte in quoted[1:-1].encode())

    def replaced(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        if code[0] in "xX":
            return chr(int(code[1:], 16))
        if code[0] in "uU":
            point = int(code[1:], 16)
            sign = chr(point) if point <= sys.maxunicode else "\ufffd"
            return "".join(chr(byte) for byte in sign.encode("utf-8", "replace"))
        return _ESCAPES.get(code, code)

    return re.sub(r"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", replaced, inner)
