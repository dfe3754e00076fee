"""Times and amounts of memory as people write them: `90`, `1h30m`, `7d`, `4GiB`."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4, "p": 1000**5}
_BYTES |= {f"{unit}i": 1024**power for power, unit in enumerate("kmgtp", 1)}
_NUMBER = frozenset("0123456789.")
# Larger ones are slips of the pen, and would overflow what a system call takes.
_LONGEST_S = 100 * 365 * 86400.0
_MOST_BYTES = 1 << 60


def duration_s(value: float | str) -> float | None:
    """Seconds of a time: a number of seconds, or text with units ms, s, m, h, d, w. None when it is no time.

    >>> duration_s(90), duration_s("1h30m"), duration_s("1.5h"), duration_s("soon")
    (90.0, 5400.0, 5400.0, None)
    """
    if not isinstance(value, str):
        return float(value) if 0 <= value <= _LONGEST_S else None
    pairs = _pairs(value)
    if not pairs or (len(pairs) > 1 and any(not unit or "." in number for number, unit in pairs)):
        return None
    total = 0.0
    for number, unit in pairs:
        scale = _SECONDS.get(unit or "s")
        if scale is None:
            return None
        total += float(number) * scale
    return total if total <= _LONGEST_S else None


def size_bytes(value: int | str) -> int | None:
    """Bytes of an amount: a number of bytes, or text with k, M, G, T, P (1000) or Ki, Mi, … (1024). None if it is none.

    >>> size_bytes("4GiB"), size_bytes("512Mi"), size_bytes("2 kB"), size_bytes("many")
    (4294967296, 536870912, 2000, None)
    """
    if not isinstance(value, str):
        return value if 0 <= value <= _MOST_BYTES else None
    pairs = _pairs(value)
    if len(pairs) != 1:
        return None
    number, unit = pairs[0]
    scale = _BYTES.get(unit.lstrip().lower().removesuffix("b"))
    if scale is None:
        return None
    total = float(number) * scale
    return int(total) if total <= _MOST_BYTES else None


def _pairs(text: str) -> list[tuple[str, str]]:
    """`1h30m` as [("1", "h"), ("30", "m")]; nothing when a number is missing or is none."""
    pairs = []
    i, n = 0, len(text)
    while i < n:
        start = i
        while i < n and text[i] in _NUMBER:
            i += 1
        number = text[start:i]
        if not number[:1].isdigit() or not number[-1:].isdigit() or number.count(".") > 1 or len(number) > 20:
            return []
        start = i
        while i < n and text[i] not in _NUMBER:
            i += 1
        pairs.append((number, text[start:i]))
    return pairs
