"""Runs in the environment of a plain client of S3: `bucket_worker.py CLIENT TASK FILE URL`, put or get one file.

Each as its documentation shows it for large files: parts of 8 MiB in threads by boto3, of 5 MiB and more by obstore.
Both read their keys and the endpoint from the usual variables.
"""

from __future__ import annotations

import sys
from pathlib import Path


def with_boto3(task: str, file: str, bucket: str, key: str) -> None:
    import boto3  # type: ignore[import-not-found, import-untyped, unused-ignore] # in an environment of its own

    client = boto3.client("s3")
    if task == "put":
        client.upload_file(file, bucket, key)
    else:
        client.download_file(bucket, key, file)


def with_obstore(task: str, file: str, bucket: str, key: str) -> None:
    import obstore
    from obstore.store import S3Store

    store = S3Store(bucket, client_options={"allow_http": True, "timeout": "10m"})
    if task == "put":
        obstore.put(store, key, Path(file))
        return
    with Path(file).open("wb") as f:
        f.writelines(obstore.get(store, key).stream(min_chunk_size=8 << 20))


def main(client: str, task: str, file: str, url: str) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    {"boto3": with_boto3, "obstore": with_obstore}[client](task, file, bucket, key)


if __name__ == "__main__":
    main(*sys.argv[1:])
