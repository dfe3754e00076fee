"""How wide texts are on a screen, and how they are made to fit; `wcwidth` knows, and is asked beyond ASCII only."""


def cells(text: str) -> int:
    """The columns that a text takes on the screen."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    # Negative when a control character has slipped through: it then counts as nothing.
    whole = wcswidth(text)
    return whole if whole >= 0 else sum(max(wcswidth(character), 0) for character in text)


def cut(text: str, columns: int, ellipsis: str) -> str:
    """The text, or as much of it as fits.

    >>> cut("abcdef", 4, "…"), cut("数据数据", 4, "…"), cut("数据", 4, "…")
    ('abc…', '数 …', '数据')
    """
    if columns <= 0:
        return ""
    if cells(text) <= columns:
        return text
    return padded(text, columns - 1) + ellipsis


def padded(text: str, columns: int) -> str:
    """The text in exactly so many columns, cut or filled up."""
    if text.isascii():
        return text[:columns].ljust(columns)
    end = len(text)
    while end and cells(text[:end]) > columns:
        end -= 1
    return text[:end] + " " * (columns - cells(text[:end]))
