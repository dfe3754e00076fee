"""A gate's verdict for people: for each check a sentence, and its interval drawn against its limit, slices below.

Fits the width it is given, in Unicode or ASCII; what is good and bad is told by signs and words, colours only add to
them. Neighbour: `core/gate_picture` says what is drawn.
"""

import math
from textwrap import wrap

from headway.core.gate_kept import GateView, headline, next_steps, record
from headway.core.gate_picture import SIGNS, WORDS, Axis, Line, Plot, Shown, plots, rest, shortened, tick_told
from headway.core.ids import SHORT
from headway.terminal.paint import Paint
from headway.terminal.tail import clean
from headway.terminal.width import cells, cut, padded
from headway.terminal.words import table

MANY = 12
"""Slices of one check that are drawn; of more, the worst ones."""

_NARROW = 50
"""In fewer columns numbers stand in a line of their own."""

_ASCII: dict[Shown, str] = {**SIGNS, "pass": "+", "fail": "x", "small": "."}
_COLOURS: dict[Shown, str] = {"pass": "green", "unsure": "yellow", "not-applicable": "dim", "small": "dim"}


class _Pen:
    """The signs that an interval is drawn with."""

    __slots__ = (
        "dot",
        "good",
        "left",
        "limit",
        "off_left",
        "off_right",
        "on_limit",
        "right",
        "rule",
        "through",
        "vague",
    )

    def __init__(self, *, unicode: bool) -> None:
        self.rule, self.left, self.right, self.dot = "─├┤●" if unicode else "-[]o"
        self.limit, self.through, self.on_limit = "┃╂◉" if unicode else "|+@"
        self.off_left, self.off_right = "◀▶" if unicode else "<>"
        self.good, self.vague = "·╌" if unicode else ".~"


def shown(view: GateView, *, columns: int, paint: Paint) -> list[str]:
    """The whole of it, in so many columns of the screen."""
    lines = wrap(clean(headline(view)), columns, subsequent_indent="  ")
    for plot in plots(view.kept.verdict):
        lines += ["", *_plot(plot, columns, paint)]
    lines += ["", "what to do:"]
    for advice in (*next_steps(view), view.kept.verdict.promise):
        lines += _told(advice, columns, 2)
    # A digest is for copying, in full where it fits.
    kept = [[word, value[:SHORT] if word == "verdict" and columns < 80 else value] for word, value in record(view)]
    return [
        *lines,
        "",
        *(cut(line, columns, paint.ellipsis) for line in table([[clean(c) for c in row] for row in kept])),
    ]


def _told(text: str, columns: int, indent: int) -> list[str]:
    blank = " " * indent
    return wrap(clean(text), columns, initial_indent=blank, subsequent_indent=blank)


def _plot(plot: Plot, columns: int, paint: Paint) -> list[str]:
    first = f"{_sign(plot.outcome, paint)} {WORDS[plot.outcome]}"
    room = columns - cells(first) - 2
    if room < _NARROW // 2:
        lines = [paint(first, _colour(plot.outcome)), *_told(plot.check, columns, 2)]
    else:
        check = wrap(clean(plot.check), room) or [""]
        lines = [f"{paint(first, _colour(plot.outcome))}  {check[0]}"]
        lines += [f"{' ' * (cells(first) + 2)}{one}" for one in check[1:]]
    # Explanations begin with the check where nothing else was to be said.
    lines += _told(plot.why.removeprefix(f"{plot.check}: "), columns, 2)
    if plot.warning:
        lines += _told(f"look twice: {plot.warning}", columns, 2)
    drawn = plot.lines[: MANY + 1]
    if plot.axis is None:
        lines += [_plain(line, columns, paint) for line in drawn[1:]]
    else:
        lines += _drawn(plot, plot.axis, drawn, columns, paint)
    lines += _told(rest(plot.lines[len(drawn) :]), columns, 4)
    if len(drawn) > 1:
        met = dict.fromkeys(line.outcome for line in drawn)
        lines += _told("; ".join(f"{_sign(one, paint)} {WORDS[one]}" for one in met), columns, 4)
    return lines


def _plain(line: Line, columns: int, paint: Paint) -> str:
    return cut(f"  {_sign(line.outcome, paint)} {clean(line.name)}: {WORDS[line.outcome]}", columns, paint.ellipsis)


def _drawn(plot: Plot, axis: Axis, drawn: tuple[Line, ...], columns: int, paint: Paint) -> list[str]:
    names = [clean(line.name) for line in drawn]
    wide = min(max(map(cells, names)), max(columns // 4, 8))
    notes = [_note(line) for line in drawn]
    beside = max(map(cells, (line.told for line in drawn)))
    room = columns - wide - beside - 8
    is_beside = columns >= _NARROW and room >= 16
    if is_beside and room > 64:
        # A longer track says no more; what is left is for the rows.
        room = min(room, max(64, room - max(map(cells, notes)) - 2))
    track = room if is_beside else columns - wide - 6
    pen = _Pen(unicode=paint.ellipsis == "…")
    lines = []
    for line, name, note in zip(drawn, names, notes, strict=True):
        sign = paint(_sign(line.outcome, paint), _colour(line.outcome))
        bar = paint(_track(plot, axis, line, track, pen), _colour(line.outcome))
        numbers = f"  {padded(line.told, beside)}" if is_beside else ""
        used = wide + 6 + track + cells(numbers)
        tail = f"  {note}" if is_beside and used + 2 + cells(note) <= columns else ""
        lines.append(
            f"  {sign} {padded(shortened(name, wide, cells, paint.ellipsis), wide)}  {bar}{numbers}{tail}".rstrip()
        )
        if not is_beside:
            lines.append(cut(f"    {line.told}", columns, paint.ellipsis))
    return [*lines, *_scale(plot, axis, wide, track, columns, pen)]


def _note(line: Line) -> str:
    if line.outcome == "small":
        return f"{line.rows}: too small to tell" if line.rows else "too small to tell"
    return line.rows


def _column(axis: Axis, value: float, track: int) -> int:
    return round(axis.place(value) * (track - 1))


def _track(plot: Plot, axis: Axis, line: Line, track: int, pen: _Pen) -> str:
    """The interval, over the good side in dots, with the limit through it."""
    signs = [pen.good if _is_good(plot, axis, i, track) else " " for i in range(track)]
    limits = [_column(axis, limit, track) for limit in plot.limits]
    if line.estimate is not None:
        begin = -1 if line.low is None else _column(axis, line.low, track)
        end = track if line.high is None else _column(axis, line.high, track)
        rule = pen.vague if line.low is None and line.high is None else pen.rule
        for i in range(max(begin, 0), min(end, track - 1) + 1):
            signs[i] = pen.through if i in limits else rule
        for at, edge in ((begin, pen.left), (end, pen.right)):
            if 0 <= at < track and at not in limits:
                signs[at] = edge
        dot = _column(axis, line.estimate, track)
        if 0 <= dot < track:
            signs[dot] = pen.on_limit if dot in limits else pen.dot
        if begin < 0:
            signs[0] = pen.off_left
        if end >= track:
            signs[-1] = pen.off_right
    for at in limits:
        if 0 <= at < track and signs[at] in (" ", pen.good):
            signs[at] = pen.limit
    return "".join(signs)


def _is_good(plot: Plot, axis: Axis, at: int, track: int) -> bool:
    low, high = plot.good
    begin = -math.inf if low is None else _column(axis, low, track)
    end = math.inf if high is None else _column(axis, high, track)
    return begin <= at <= end


def _scale(plot: Plot, axis: Axis, wide: int, track: int, columns: int, pen: _Pen) -> list[str]:
    """The numbers below the tracks, as many as have room, and what the signs mean."""
    marks = [" "] * track
    free = 0
    for tick in axis.ticks:
        word = tick_told(axis, tick)
        begin = min(max(_column(axis, tick, track) - len(word) // 2, 0), track - len(word))
        if begin >= free:
            marks[begin : begin + len(word)] = word
            free = begin + len(word) + 1
    numbers = f"{' ' * (wide + 6)}{''.join(marks).rstrip()}"
    if axis.unit and cells(numbers) + 1 + len(axis.unit) <= columns:
        numbers += f" {axis.unit}"
    return [numbers, *_told(f"{pen.limit} {plot.limit}, {pen.good * 3} the good side", columns, 4)]


def _sign(outcome: Shown, paint: Paint) -> str:
    return (SIGNS if paint.ellipsis == "…" else _ASCII)[outcome]


def _colour(outcome: Shown) -> str:
    return _COLOURS.get(outcome, "red")
