"""Where in a shell's text an expression stands: outside quotes, inside them, in a heredoc, in a comment.

It reads just as much of the shell's grammar as that needs. Whatever it takes a place for, only a reference to an
environment variable is ever put there, never the value: a misjudged place can split a word, it cannot run code.
"""

from msgspec import Struct

from headway.core.expression_syntax import CLOSE, OPEN, end_of
from headway.core.expression_tokens import unreadable

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "ash"})
"""The shells whose quoting is understood here."""

BARE, QUOTED, COMMENT = "bare", "quoted", "comment"

_REFUSED = {
    "'": (
        "an expression inside single quotes reaches the shell as it stands",
        'use double quotes: "…${{ … }}…"',
    ),
    "heredoc": (
        "an expression inside a quoted heredoc reaches the command as it stands",
        "take the quotes off the heredoc's delimiter (<<EOF), or hand the value over with env:",
    ),
    "arithmetic": (
        "the shell evaluates what stands inside $(( )), so a value there could run commands",
        "compute it in the step's script, or hand it over with env: and check it first",
    ),
    "`": ("an expression inside backquotes cannot be passed safely", "write $( … ) instead of backquotes"),
    "delimiter": ("an expression cannot be a heredoc's delimiter", "use a fixed word: <<EOF"),
    "dollar": ("a `$` stands before an expression, and the shell would read both as one", "write \\$ for a plain $"),
    "escaped": ("a backslash stands before an expression", "remove the backslash"),
}


class Slot(Struct, frozen=True, kw_only=True):
    """One expression of a shell's text: `text[start:end]` is `${{ … }}`, `kind` BARE, QUOTED or COMMENT."""

    start: int
    end: int
    kind: str

    def inside(self, text: str) -> str:
        """The expression without its braces."""
        return text[self.start + len(OPEN) : self.end - len(CLOSE)]


class _Frame:
    """An open bracket or quote. `cases` counts open `case … esac`, whose patterns end with a lone `)`."""

    __slots__ = ("cases", "heredocs", "is_nested", "kind", "parens")

    def __init__(self, kind: str, *, is_nested: bool = True) -> None:
        self.kind = kind
        self.is_nested = is_nested
        self.parens = 0
        self.cases = 0
        self.heredocs: list[tuple[str, bool, bool]] = []


_slots: dict[str, tuple[Slot, ...]] = {}


def slots(text: str) -> tuple[Slot, ...]:
    """The expressions of a shell's text, in order. Raises ExpressionUnreadable for the first in a refused place.

    >>> [slot.kind for slot in slots('a ${{ params.x }} "${{ params.y }}" # ${{ z }}')]
    ['bare', 'quoted', 'comment']
    """
    if OPEN not in text:
        return ()
    found = _slots.get(text)
    if found is None:
        if len(_slots) >= 4096:
            _slots.clear()
        found = _slots[text] = tuple(_Reader(text).read())
    return found


class _Reader:
    """Goes once over the text, with a stack of what is open."""

    __slots__ = ("found", "i", "stack", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.i = 0
        self.found: list[Slot] = []
        self.stack = [_Frame("command", is_nested=False)]

    def read(self) -> list[Slot]:
        last = self.text.rfind(OPEN)
        while self.i <= last:
            c = self.text[self.i]
            if c == "$" and self.text.startswith(OPEN, self.i):
                self.slot()
                continue
            self.step(c, self.stack[-1])
        return self.found

    def slot(self) -> None:
        kinds = [frame.kind for frame in self.stack]
        if "arithmetic" in kinds:
            self.refuse("arithmetic")
        if "`" in kinds:
            self.refuse("`")
        if self.text[self.i - 1 : self.i] == "\\" and self.i and not self.found_even_backslashes():
            self.refuse("escaped")
        innermost = [k for k in kinds if k != "brace"][-1]
        self.add(BARE if innermost == "command" else QUOTED)

    def found_even_backslashes(self) -> bool:
        before = self.text[: self.i]
        return (len(before) - len(before.rstrip("\\"))) % 2 == 0

    def add(self, kind: str) -> None:
        end = end_of(self.text, self.i)
        if end < 0:
            raise unreadable("`${{` is never closed", "close it with `}}`", self.i)
        end += len(CLOSE)
        self.found.append(Slot(start=self.i, end=end, kind=kind))
        self.i = end

    def refuse(self, what: str) -> None:
        raise unreadable(*_REFUSED[what], self.i)

    # --- one character further --------------------------------------------------------------------------------------

    def step(self, c: str, frame: _Frame) -> None:
        if c == "\\":
            self.escape()
        elif c == "$":
            self.dollar()
        elif c == "`":
            self.backquote(frame)
        elif frame.kind == "command":
            self.command(c, frame)
        elif frame.kind in ('"', "heredoc"):
            self.quoted(c, frame)
        elif frame.kind == "arithmetic":
            self.arithmetic(c, frame)
        else:
            self.nested(c, frame)

    def command(self, c: str, frame: _Frame) -> None:
        """Outside quotes: at the top, inside `$( … )`, `( … )` or `<( … )`."""
        if c == "'":
            self.single()
        elif c == '"':
            self.push('"', '"')
        elif c == "(":
            self.parenthesis(frame)
        elif c == ")":
            self.closing(frame)
        elif c == "#" and self.at_word():
            self.comment()
        elif c == "<" and self.text.startswith("<<", self.i):
            self.heredoc(frame)
        elif c == "\n" and frame.heredocs:
            self.bodies(frame)
        else:
            self.word(c, frame)

    def quoted(self, c: str, frame: _Frame) -> None:
        """Inside double quotes, or a heredoc's body, which is like them but for the quotes."""
        if c == '"' and frame.kind == '"':
            self.stack.pop()
        self.i += 1

    def nested(self, c: str, frame: _Frame) -> None:
        """Inside `${ … }` or backquotes."""
        if c == '"' and not (frame.kind == "brace" and self.in_quotes()):
            self.push('"', '"')
        elif c == "'" and not self.in_quotes():
            self.single()
        else:
            if c == "}" and frame.kind == "brace":
                self.stack.pop()
            self.i += 1

    def arithmetic(self, c: str, frame: _Frame) -> None:
        """Inside `$(( … ))` or `(( … ))`."""
        if c == ")":
            self.arithmetic_end(frame)
            return
        frame.parens += c == "("
        self.i += 1

    def in_quotes(self) -> bool:
        """Whether the innermost frame that is no `${ … }` is a pair of double quotes, or like one."""
        return next(f.kind for f in reversed(self.stack) if f.kind != "brace") in ('"', "heredoc")

    def push(self, kind: str, opening: str) -> None:
        self.stack.append(_Frame(kind))
        self.i += len(opening)

    def escape(self) -> None:
        """A backslash and what it protects; not an expression after it, which `slot` refuses."""
        self.i += 1 if self.text.startswith(OPEN, self.i + 1) else 2

    def single(self) -> None:
        end = self.text.find("'", self.i + 1)
        self.pass_over(len(self.text) if end < 0 else end, "'")
        self.i += 1

    def pass_over(self, end: int, what: str) -> None:
        inside = self.text.find(OPEN, self.i, end)
        if inside >= 0:
            self.i = inside
            self.refuse(what)
        self.i = end

    def backquote(self, frame: _Frame) -> None:
        if frame.kind == "`":
            self.stack.pop()
            self.i += 1
        else:
            self.push("`", "`")

    def dollar(self) -> None:
        if self.text.startswith(OPEN, self.i + 1):
            self.i += 1
            self.refuse("dollar")
        rest = self.text[self.i : self.i + 3]
        bare = self.stack[-1].kind == "command"
        if rest == "$((":
            self.push("arithmetic", "$((")
        elif rest.startswith("$("):
            self.push("command", "$(")
        elif rest.startswith("${"):
            self.push("brace", "${")
        elif rest.startswith("$'") and bare:
            self.ansi()
        else:
            # Past the name's first sign too, since `$#` begins no comment.
            self.i += 2 if rest[1:2] in ("#", "$", "?", "!") else 1

    def ansi(self) -> None:
        r"""Skip `$'…'`, where a backslash does protect the quote."""
        end = self.i + 2
        while end < len(self.text) and self.text[end] != "'":
            end += 2 if self.text[end] == "\\" else 1
        self.pass_over(min(end, len(self.text)), "'")
        self.i += 1

    def parenthesis(self, frame: _Frame) -> None:
        if self.text.startswith("((", self.i) and self.at_word():
            self.push("arithmetic", "((")
        else:
            frame.parens += 1
            self.i += 1

    def closing(self, frame: _Frame) -> None:
        if frame.parens:
            frame.parens -= 1
        elif not frame.cases and frame.is_nested:
            self.stack.pop()
        self.i += 1

    def arithmetic_end(self, frame: _Frame) -> None:
        if frame.parens:
            frame.parens -= 1
            self.i += 1
        elif self.text.startswith("))", self.i):
            self.stack.pop()
            self.i += 2
        else:
            # It was a subshell in a substitution, `$( (…) … )`, written without the blank.
            frame.kind, frame.parens = "command", 1

    def at_word(self) -> bool:
        """Whether a new word begins here."""
        return not self.i or self.text[self.i - 1] in " \t\n;&|()"

    def word(self, c: str, frame: _Frame) -> None:
        if c in "ce" and self.at_word():
            for keyword, change in (("case", 1), ("esac", -1)):
                after = self.text[self.i + 4 : self.i + 5]
                if self.text.startswith(keyword, self.i) and (not after or after in " \t\n;&|)"):
                    frame.cases = max(0, frame.cases + change)
        self.i += 1

    def comment(self) -> None:
        end = self.text.find("\n", self.i)
        end = len(self.text) if end < 0 else end
        while (start := self.text.find(OPEN, self.i, end)) >= 0:
            close = self.text.find(CLOSE, start, end)
            stop = end if close < 0 else close + len(CLOSE)
            self.found.append(Slot(start=start, end=stop, kind=COMMENT))
            self.i = stop
        self.i = end

    # --- heredocs ---------------------------------------------------------------------------------------------------

    def heredoc(self, frame: _Frame) -> None:
        if self.text.startswith("<<<", self.i):
            self.i += 3
            return
        self.i += 2
        tabs = self.text.startswith("-", self.i)
        self.i += tabs
        while self.text[self.i : self.i + 1] in (" ", "\t"):
            self.i += 1
        start = self.i
        while self.i < len(self.text) and self.text[self.i] not in " \t\n;&|<>()":
            if self.text.startswith(OPEN, self.i):
                self.refuse("delimiter")
            if self.text[self.i] in "'\"":
                end = self.text.find(self.text[self.i], self.i + 1)
                self.pass_over(len(self.text) if end < 0 else end, "delimiter")
            self.i += 1
        written = self.text[start : self.i]
        delimiter = "".join(c for c in written if c not in "'\"\\")
        if written:
            frame.heredocs.append((delimiter, tabs, delimiter != written))

    def bodies(self, frame: _Frame) -> None:
        """The lines of the heredocs that were announced on the line that ends here."""
        self.i += 1
        for delimiter, tabs, is_quoted in frame.heredocs:
            end, after = self.body(delimiter, tabs=tabs)
            if is_quoted:
                self.pass_over(end, "heredoc")
            else:
                self.plain(end)
            self.i = after
        frame.heredocs = []

    def body(self, delimiter: str, *, tabs: bool) -> tuple[int, int]:
        at = self.i
        while at < len(self.text):
            end = self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            line = self.text[at:end]
            if (line.lstrip("\t") if tabs else line) == delimiter:
                return at, end
            at = end + 1
        return len(self.text), len(self.text)

    def plain(self, end: int) -> None:
        """A heredoc's body, where the shell replaces `$…` and backquotes and leaves quotes alone."""
        inner = _Reader(self.text[:end])
        inner.i = self.i
        inner.stack = [_Frame("heredoc", is_nested=False)]
        self.found += inner.read()
