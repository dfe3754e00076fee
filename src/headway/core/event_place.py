"""Where the data of a trigger lie, by what is written: a path, or a place elsewhere. Knows no file and no log."""

from msgspec import Struct


class Place(Struct, frozen=True, kw_only=True):
    """A path relative to the project, or a `url` and what is `wanted` there."""

    path: str = ""
    url: str = ""
    wanted: str = ""


def is_far(text: str) -> bool:
    """Whether this names a place elsewhere.

    >>> is_far("s3://bucket/a/*.csv"), is_far("sqlite:shop.db"), is_far("data/a.csv")
    (True, True, False)
    """
    return "://" in text or text.startswith(("sqlite:", "file:"))


def located(text: str, folder: str) -> str:
    """A place of this machine whose path is relative, as one that counts from a folder; any other as it is.

    >>> located("sqlite:shop.db", "/home/ann/churn"), located("s3://bucket/a", "/home/ann/churn")
    ('sqlite:/home/ann/churn/shop.db', 's3://bucket/a')
    """
    scheme, _, path = text.partition(":")
    is_relative = scheme in ("sqlite", "file") and path and not path.startswith("/")
    return f"{scheme}:{folder}/{path}" if is_relative else text


def is_database(text: str) -> bool:
    """Whether a place answers to queries.

    >>> is_database("postgresql://db/shop"), is_database("s3://bucket/a.csv")
    (True, False)
    """
    return text.startswith(("postgresql:", "postgres:", "sqlite:"))


def recorded(source: str) -> tuple[str, str]:
    """The URL from which a version was taken, and the query if there was one, of what the log says of both.

    >>> recorded("postgresql://db/shop: select 1"), recorded("s3://bucket/a/**")
    (('postgresql://db/shop', 'select 1'), ('s3://bucket/a/**', ''))
    """
    url, _, query = source.partition(": ")
    return url, query
