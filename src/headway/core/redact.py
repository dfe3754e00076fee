"""A URL without what opens doors: its password, and values of its query that look like keys."""

_SECRET = ("password", "passwd", "pwd", "secret", "token", "signature", "sig", "credential", "key", "auth")
"""What the name of a secret of a query ends in, small letters: `X-Amz-Signature`, `sslkey`, `access_token`."""

HIDDEN = "***"


def redacted(url: str) -> str:
    """The URL as it may be shown and recorded.

    >>> redacted("postgresql://ann:s3cr3t@db:5432/shop?sslmode=require&password=x")
    'postgresql://ann:***@db:5432/shop?sslmode=require&password=***'
    >>> redacted("https://host/a.csv?X-Amz-Signature=abc&v=1"), redacted("s3://bucket/x/*.csv")
    ('https://host/a.csv?X-Amz-Signature=***&v=1', 's3://bucket/x/*.csv')
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return _query(url)
    ends = [at for at in (rest.find(sign) for sign in "/?#") if at >= 0]
    # A password with a slash in it is no URL any more, yet it is what people type: the last @ of all ends it.
    end = max(min(ends, default=len(rest)), rest.rfind("@", 0, rest.find("?") if "?" in rest else len(rest)) + 1)
    place, after = rest[:end], rest[end:]
    who, at, host = place.rpartition("@")
    if at and ":" in who:
        who = f"{who.partition(':')[0]}:{HIDDEN}"
    return _query(f"{scheme}://{who}{at}{host}{after}")


def _query(url: str) -> str:
    head, mark, query = url.partition("?")
    parts = [_hidden(part) for part in query.split("&")]
    return head + mark + "&".join(parts)


def _hidden(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}={HIDDEN}" if equals and name.lower().endswith(_SECRET) else part
