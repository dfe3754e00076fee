"""Predictions that were logged, found again: by their request id over all endpoints, and back to where they came from.

Reads; records nothing. `tables/prediction_log` reads the files of one endpoint, `lineage` the log of facts.
"""

import os
from contextlib import suppress

from msgspec import Struct

from headway.core.lineage import VersionLineage
from headway.core.prediction_log import Kind, segment
from headway.errors import NameUnknown
from headway.flows import lineage
from headway.ports import Blobs, Log
from headway.tables import prediction_log
from headway.tables.prediction_log import Found


class Origin(Struct, frozen=True, kw_only=True):
    """One prediction, the endpoint that gave it, and all that led to the version that answered.

    `back` is None when the version is not in the registry: a model's file that was served as it lay there.
    """

    endpoint: str
    found: Found
    back: VersionLineage | None = None


def folder_of(home: str, endpoint: str) -> str:
    """Where an endpoint's predictions are logged."""
    return os.path.join(home, "endpoints", endpoint, "predictions")


def files_of(folder: str, kind: Kind) -> list[tuple[str, int]]:
    """The files of one kind with their sizes, by name: where it is as before, nothing was logged meanwhile.

    None where there is no folder. Some microseconds a file.
    """
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(f"{kind}-") and segment(entry.name) is not None:
                with suppress(FileNotFoundError):  # sealed meanwhile, or deleted
                    found.append((entry.name, entry.stat().st_size))
    return sorted(found)


def find(home: str, request_id: str) -> tuple[str, Found] | None:
    """The newest prediction of that id and its endpoint; None when no endpoint logged it."""
    try:
        endpoints = sorted(os.listdir(os.path.join(home, "endpoints")))
    except FileNotFoundError:
        endpoints = []
    found = [(one, got) for one in endpoints if (got := prediction_log.find(folder_of(home, one), request_id))]
    return max(found, key=lambda pair: pair[1].at, default=None)


def origin(log: Log, blobs: Blobs, home: str, request_id: str) -> Origin:
    """From a prediction back to version, verdict, run, commit and data. Raises NameUnknown."""
    found = find(home, request_id)
    if found is None:
        raise NameUnknown(
            f"no endpoint logged a prediction with the request id {request_id!r}",
            at="REQUEST_ID",
            remedy="take the X-Request-Id of an answer; logged are the share and the time that the endpoint keeps",
        )
    endpoint, prediction = found
    back = None
    if prediction.version:
        back = lineage.of_version(log, blobs, f"{prediction.model}@{prediction.version}")
    return Origin(endpoint=endpoint, found=prediction, back=back)
