"""The names of leases that concern more than one flow, and which of them are about a folder. Takes none itself."""

WORKSPACE = "workspace"
"""Whoever changes the files of a working tree: a run, a checkout, `gc`."""

LOCK = "headway.lock"
"""Whoever writes headway.lock."""

_OF_FOLDER = frozenset({WORKSPACE, LOCK})


def of_run(number: int) -> str:
    """Who is at work on a run, wherever that is; taken where folders share a log."""
    return f"run/{number}"


def of_firing(firing: str) -> str:
    """Who begins the run of a firing; taken where folders share a log."""
    return f"firing/{firing}"


def is_of_folder(name: str) -> bool:
    """Whether a lease is about one working tree; all others are about the project, and so about its log.

    >>> [is_of_folder(name) for name in ("workspace", "headway.lock", "up", "endpoint/churn", "notices", "run/7")]
    [True, True, False, False, False, False]
    """
    return name in _OF_FOLDER
