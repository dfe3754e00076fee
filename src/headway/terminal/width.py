"""How wide texts are on a screen, and how they are made to fit; `rich.cells` knows, and is asked beyond ASCII only."""


def cells(text: str) -> int:
    """The columns that a text takes on the screen."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


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
    from rich.cells import set_cell_size

    return set_cell_size(text, columns)
