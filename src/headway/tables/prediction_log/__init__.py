"""The prediction log as tables: sealing open files, reading by time or by request, following what is new.

The files are specified in docs/formats/predictions.md. Readers need no lock: a segment appears whole or not at all, and
of an open file they take the lines that are whole. Does not know which endpoint a folder belongs to.
"""

from headway.tables.prediction_log.files import seal
from headway.tables.prediction_log.following import Followed, follow, of_requests
from headway.tables.prediction_log.reading import Found, Joined, find, joined, read, scan

__all__ = ["Followed", "Found", "Joined", "find", "follow", "joined", "of_requests", "read", "scan", "seal"]
