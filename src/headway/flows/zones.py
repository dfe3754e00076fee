"""Time zones by name, as this machine knows them. Knows no clock."""

from datetime import UTC, tzinfo


def is_zone(name: str) -> bool:
    """Whether a time zone is known here.

    >>> is_zone("Europe/Berlin"), is_zone("Europe/Berlinn"), is_zone("Europe"), is_zone("../UTC")
    (True, False, False, False)
    """
    return find(name) is not None


def find(name: str) -> tzinfo | None:
    """The time zone of a name; None when there is none."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A name that is a folder, or leads out of the folder of zones.
        return None
