"""Templates to pages. Everything that is put in is escaped; a name that is missing is an error, never a gap."""

from functools import cache
from typing import TYPE_CHECKING, Any

from headway import __version__
from headway.core.telling import number
from headway.terminal import words
from headway.web import static

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


@cache
def templates() -> "Environment":
    """The templates of the package, compiled when they are first asked for."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("headway.web"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(took=words.took, size=words.size, moment=moment, number=number, short=short, coded=coded)
    made.filters.update(marked=marked)
    made.globals.update(asset=static.address, headway_version=__version__, ago=ago)
    return made


# Any: what a template shows.
def rendered(template: str, **values: Any) -> str:  # noqa: ANN401 (as above)
    """A page. Every template takes `title` and `who`."""
    return templates().get_template(template).render(values)


def coded(text: str) -> "Markup":
    """Words in which what stands between backticks is code, as people write it; everything is escaped.

    >>> str(coded("begins `bake: 1d` <b>"))
    'begins <code>bake: 1d</code> &lt;b&gt;'
    >>> str(coded("a lone ` stays"))
    'a lone ` stays'
    """
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def marked(text: str, words: str) -> "Markup":
    """A text in which what was looked for is marked; small letters stand for capitals, too. Everything is escaped.

    >>> str(marked("<Error>: no error", "error"))
    '&lt;<mark>Error</mark>&gt;: no <mark>error</mark>'
    """
    import re

    from markupsafe import Markup, escape

    flags = re.IGNORECASE if words == words.lower() else 0
    parts = re.split(f"({re.escape(words)})", text, flags=flags) if words else [text]
    return Markup("").join(
        Markup("<mark>{}</mark>").format(part) if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def moment(at: float) -> str:
    """A time as machines read it, in UTC.

    >>> moment(1_790_000_000.0)
    '2026-09-21T14:13:20Z'
    """
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(at: float, now: float) -> str:
    """How long ago, coarsely: a page that is looked at again is the same page for a while.

    >>> ago(0.0, 5.0), ago(0.0, 3700.0)
    ('just now', '61 min ago')
    """
    return "just now" if now - at < 60 else words.ago(max(60.0 * ((now - at) // 60), 120.0))


def short(value: float) -> str:
    """A number to three digits: where many stand below each other no more are read.

    >>> short(0.323353), short(1200.0)
    ('0.323', '1,200')
    """
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
