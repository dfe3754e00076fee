"""One value as YAML that every reader takes for the same value: plain where that is safe, else in quotes.

Shared by what writes YAML (`codec/lock`, `flows/init`). Knows no file.
"""

import msgspec

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")

_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
"""What one version of YAML or the other does not read as a text."""

_HEX = frozenset("0123456789abcdef")


def scalar(value: str | float) -> str:
    r"""A text, number or truth value for one line: what YAML 1.1 and 1.2 both read back as the same.

    >>> scalar("data/train.csv"), scalar("no"), scalar("1e3"), scalar("a: b"), scalar("line\x85")
    ('data/train.csv', '"no"', '"1e3"', '"a: b"', '"line\\u0085"')
    """
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if _PLAIN.issuperset(value) and (_is_digest(value) or (value[:1].isalpha() and value.lower() not in _WORDS)):
        return value
    quoted = msgspec.json.encode(value).decode()
    # JSON is YAML, but for signs that YAML takes for line breaks or allows only escaped.
    return quoted if quoted.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in quoted)


def _is_digest(text: str) -> bool:
    # Digits with one `e` would be read as a number, digits after `0b` by some too; of 64 digits all but one in 10^8
    # have one of these.
    return len(text) == 64 and _HEX.issuperset(text) and not _HEX.difference("acdf").issuperset(text)


def _escaped(c: str) -> str:
    code = ord(c)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
