"""Colours and redrawing follow the wishes of the user and what the stream can do."""

import io

import pytest

from headway.terminal.paint import can_redraw, has_colours, paint_for


@pytest.mark.parametrize(
    ("environ", "on_terminal", "elsewhere"),
    [
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, False),
        ({"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        ({"TERM": "xterm", "FORCE_COLOR": "0"}, True, False),
        ({"TERM": "xterm", "CLICOLOR": "0"}, False, False),
        ({"TERM": "xterm", "CLICOLOR": "1"}, True, False),
        ({"TERM": "xterm", "CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, True),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else None,
)
def test_colours_follow_the_environment(environ: dict[str, str], on_terminal: bool, elsewhere: bool) -> None:
    assert has_colours(environ, is_terminal=True) is on_terminal
    assert has_colours(environ, is_terminal=False) is elsewhere


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": ""}, False),
        ({}, False),
        ({"TERM": "xterm", "CI": "true"}, False),
        ({"TERM": "xterm", "CI": "false"}, True),
    ],
    ids=str,
)
def test_only_a_watched_screen_is_drawn_over(environ: dict[str, str], expected: bool) -> None:
    assert can_redraw(environ, is_terminal=True) is expected
    assert can_redraw(environ, is_terminal=False) is False


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "✓"), ("latin-1", "+"), ("ascii", "+")])
def test_signs_are_such_as_the_stream_can_encode(encoding: str, sign: str) -> None:
    paint = paint_for(io.TextIOWrapper(io.BytesIO(), encoding=encoding), {})
    assert paint.sign("passed") == sign
    (paint.sign("failed") + paint.ellipsis + paint.frames).encode(encoding)


def test_no_text_has_no_colour() -> None:
    paint = paint_for(io.StringIO(), {"FORCE_COLOR": "1"})
    assert paint("", "red") == ""
    assert paint("x", "red") == "\x1b[31mx\x1b[0m"
