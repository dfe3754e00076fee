"""What a program printed for a terminal, as a page can show it: colours as names, and nothing that moves a cursor.

Of ECMA-48 the select-graphic-rendition sequences are read (16 colours; those of 256 and of 24 bits become the nearest
of the 16), all others are left out. A carriage return begins the line anew, as progress bars have it.
"""

import re
from collections.abc import Iterator
from functools import cache

from msgspec import Struct

_ESCAPES = re.compile(
    r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[\x00-\x08\x0b-\x1f\x7f]"
)
_LEFT_OUT = re.compile(r"[\x80-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters of the second kind, and what turns the direction of writing."""

_EFFECTS = {1: "bold", 2: "dim", 3: "italic", 4: "under", 7: "turned", 9: "struck"}
_ENDS = {22: ("bold", "dim"), 23: ("italic",), 24: ("under",), 27: ("turned",), 29: ("struck",)}

_SHADES = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
"""The 16 colours as xterm shows them."""


class Span(Struct, frozen=True, omit_defaults=True):
    """A piece of a line, and how it looks: names such as `bold`, `ink-1` (red letters), `on-4` (on blue)."""

    text: str
    look: str = ""


class Look(Struct, frozen=True, kw_only=True):
    """How letters look from here on. Colours count from 0 to 15, None where none was chosen."""

    effects: frozenset[str] = frozenset()
    ink: int | None = None
    ground: int | None = None

    @property
    def names(self) -> str:
        """As names, in order, apart by spaces."""
        found = sorted(self.effects)
        found += [] if self.ink is None else [f"ink-{self.ink}"]
        return " ".join(found if self.ground is None else [*found, f"on-{self.ground}"])


PLAIN = Look()


def spans(line: str, look: Look = PLAIN) -> tuple[tuple[Span, ...], Look]:
    r"""A line without its end as pieces that look alike, and how letters look after it.

    >>> spans("all \x1b[1;31mbad\x1b[0m\x1b[2K now")[0]
    (Span(text='all ', look=''), Span(text='bad', look='bold ink-1'), Span(text=' now', look=''))
    """
    found: list[Span] = []
    for piece, now in _pieces(_overwritten(line), look):
        look = now
        text = _LEFT_OUT.sub("", piece)
        if text and found and found[-1].look == look.names:
            found[-1] = Span(found[-1].text + text, look.names)
        elif text:
            found.append(Span(text, look.names))
    return tuple(found), look


def plain(line: str) -> str:
    r"""The letters alone.

    >>> plain("10 %\r100 %\x1b[K")
    '100 %'
    """
    return _LEFT_OUT.sub("", _ESCAPES.sub("", _overwritten(line)))


def _overwritten(line: str) -> str:
    """What is left to see where a line was written several times over."""
    line = line.rstrip("\r")
    return line if "\r" not in line else line[line.rindex("\r") + 1 :]


def _pieces(line: str, look: Look) -> Iterator[tuple[str, Look]]:
    begin = 0
    for found in _ESCAPES.finditer(line):
        if found.start() > begin:
            yield line[begin : found.start()], look
        begin = found.end()
        if found[2] == "m":
            look = _after(look, found[1])
    yield line[begin:], look


def _after(look: Look, numbers: str) -> Look:
    codes = [int(code) if code.isdecimal() and len(code) < 5 else 0 for code in re.split("[;:]", numbers)]
    while codes:
        code = codes.pop(0)
        if code in (38, 48):
            colour = _chosen(codes)
            look = Look(
                effects=look.effects,
                ink=colour if code == 38 else look.ink,
                ground=colour if code == 48 else look.ground,
            )
        else:
            look = _with(look, code)
    return look


def _with(look: Look, code: int) -> Look:
    effects, ink, ground = look.effects, look.ink, look.ground
    if code == 0:
        return PLAIN
    if code in _EFFECTS:
        effects |= {_EFFECTS[code]}
    elif code in _ENDS:
        effects -= set(_ENDS[code])
    elif 30 <= code <= 37 or 90 <= code <= 97:
        ink = code - 30 if code < 40 else code - 82
    elif 40 <= code <= 47 or 100 <= code <= 107:
        ground = code - 40 if code < 50 else code - 92
    elif code == 39:
        ink = None
    elif code == 49:
        ground = None
    return Look(effects=effects, ink=ink, ground=ground)


def _chosen(codes: list[int]) -> int | None:
    """The colour that these codes choose, which are used up."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        number = codes.pop(0)
        return number if number < 16 else _nearest(_of_256(min(number, 255)))
    if kind == 2 and len(codes) >= 3:
        red, green, blue = codes[:3]
        del codes[:3]
        return _nearest((red, green, blue))
    return None


def _of_256(number: int) -> tuple[int, int, int]:
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    steps = (0, 95, 135, 175, 215, 255)
    number -= 16
    return steps[number // 36], steps[number // 6 % 6], steps[number % 6]


@cache
def _nearest(colour: tuple[int, int, int]) -> int:
    return min(range(16), key=lambda i: sum((a - b) ** 2 for a, b in zip(_SHADES[i], colour, strict=True)))
