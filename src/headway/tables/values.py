"""What a value of a table is in JSON."""

import math

Scalar = str | int | float | bool | None
"""A value as JSON has it; what JSON has no form for is text, bytes as hexadecimal digits."""


def scalar(value: object, *, is_json: bool = False) -> Scalar:
    """A value of DuckDB as JSON has it. With `is_json` it is the text of a JSON value.

    >>> scalar(2**70), scalar(float("nan")), scalar(b"ab"), scalar('"a"', is_json=True)
    ('1180591620717411303424', 'nan', '6162', 'a')
    """
    if is_json and isinstance(value, str) and value.startswith('"'):
        import msgspec

        return str(msgspec.json.decode(value.encode()))
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -(1 << 63) <= value < 1 << 63 else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return value.hex()
        case _:
            return str(value)
