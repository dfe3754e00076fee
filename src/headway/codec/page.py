"""Pages of HTML that stand alone: nothing is fetched, light and dark, readable by machines that read aloud.

Neighbour: `page_profile` fills one. Knows no files.
"""

import html
import re
from collections.abc import Sequence

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ --ink: #1c2024; --soft: #60646c; --paper: #fcfcfd; --line: #d9dce1;
  --bar: #3e63dd; --tail: #8da4ef; --bad: #b3261e; --row: #f3f4f7; }}
@media (prefers-color-scheme: dark) {{
:root {{ --ink: #edeef0; --soft: #a4a9b1; --paper: #111214; --line: #363a40;
  --bar: #7c9bff; --tail: #435db1; --bad: #ff8a80; --row: #1b1d20; }}
}}
body {{ margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.15rem; margin: 0; overflow-wrap: anywhere; }}
h2 small, .soft, caption {{ color: var(--soft); font-weight: normal; }}
p {{ margin: .4rem 0; }}
a {{ color: inherit; text-decoration-color: var(--soft); }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; padding: .3rem 0; }}
th, td {{ padding: .15rem .7rem .15rem 0; text-align: left; vertical-align: middle; overflow-wrap: anywhere; }}
th {{ font-weight: 600; }}
td.n, th.n {{ text-align: right; white-space: nowrap; }}
.index {{ width: 100%; }}
.index tr {{ border-bottom: 1px solid var(--line); }}
.index thead th {{ position: sticky; top: 0; background: var(--paper); }}
.index svg {{ width: 9rem; height: 1.6rem; }}
.bad {{ color: var(--bad); }}
section {{ border-top: 1px solid var(--line); padding: 1.2rem 0;
  content-visibility: auto; contain-intrinsic-size: auto 24rem; }}
section:target {{ background: var(--row); }}
.parts {{ display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: flex-start; }}
.parts svg {{ width: 30rem; max-width: 100%; height: 11rem; }}
svg rect {{ fill: var(--bar); }}
svg rect.tail {{ fill: var(--tail); }}
svg text {{ fill: var(--soft); font-size: 10px; }}
input {{ font: inherit; padding: .3rem .6rem; width: 18rem; max-width: 100%;
  background: var(--paper); color: var(--ink); border: 1px solid var(--line); border-radius: .3rem; }}
[hidden] {{ display: none !important; }}
{more}</style>
</head>
<body>
"""

_END = "</body>\n</html>\n"


def head(title: str, *, more: str = "") -> str:
    """The beginning of a page, up to its first words; `more` are rules of style for this kind of page."""
    return _HEAD.format(title=text(title), more=more)


def end() -> str:
    """The end of a page."""
    return _END


def text(value: str) -> str:
    """Words as they stand between tags, or in an attribute's quotes; control characters are shown as such.

    >>> text('a<b> "c"')
    'a&lt;b&gt; &quot;c&quot;'
    """
    return html.escape("".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in value))


def anchor(prefix: str, name: str) -> str:
    """The place of something on its page: the same for the same name, another for another.

    >>> anchor("column", "fare (net)"), anchor("column", "fare__net_")
    ('column-fare_20__28_net_29_', 'column-fare_5f__5f_net_5f_')
    """
    return f"{prefix}-" + re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):x}_", name)


def table(rows: Sequence[Sequence[str]], *, caption: str, heads: Sequence[str], numbers: Sequence[int] = ()) -> str:
    """A small table; cells are words, those of the columns `numbers` stand to the right."""
    sides = ['class="n"' if i in numbers else "" for i in range(len(heads))]
    top = "".join(f"<th scope=col {side}>{text(one)}</th>" for one, side in zip(heads, sides, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td {side}>{text(one)}</td>" for one, side in zip(row, sides, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><caption>{text(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
