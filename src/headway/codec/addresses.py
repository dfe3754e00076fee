"""Addresses of stores, logs and remotes as back-ends know them: absolute paths, and folders in the form of a bucket."""

import os

from headway.errors import UsageMistaken


def located(root: str, url: str) -> str:
    """Make the path in `scheme:path` absolute; URLs with `//` are left as they are."""
    scheme, colon, path = url.partition(":")
    if not colon or path.startswith("//") or not path:
        # libpq knows both names.
        return f"postgresql:{path}" if scheme == "postgres" else url
    return f"{scheme}:{os.path.join(root, path)}"


def remote_url(root: str, url: str, *, at: str = "remote.url") -> str:
    """The URL of a remote as back-ends know it: a folder is kept in the form of a bucket. Raises UsageMistaken.

    >>> remote_url("/home/ann/churn", "file:///srv/store"), remote_url("/home/ann/churn", "s3://team/churn")
    ('bucket:/srv/store', 's3://team/churn')
    """
    scheme, colon, path = url.partition(":")
    if not colon or not path.strip("/"):
        raise UsageMistaken(
            f"{url!r} is no address of a remote",
            at=at,
            remedy="write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, az://CONTAINER/FOLDER or file:///FOLDER",
        )
    if scheme not in ("file", "bucket"):
        return url
    if path.startswith("//") and not path.startswith("///"):
        raise UsageMistaken(
            f"{url!r} names a machine, and a folder is one of this machine", at=at, remedy=f"write file:{path[1:]}"
        )
    return f"bucket:{os.path.normpath(os.path.join(root, path[2:] if path.startswith('///') else path))}"
