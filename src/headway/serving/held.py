"""What a holder understands of what it is handed: specifications of versions, and routing tables, as JSON has them.

`core.routing` has the same as values; it would load more than a process should hold that lives for months. Standard
library only, as `holder`.
"""

from headway.serving.keeper import Words


def versions_of(table: Words | None) -> list[int]:
    """Every version that a table names."""
    if not table:
        return []
    shadow = table.get("shadow")
    return [int(one["version"]) for one in (*table["routes"], *((shadow,) if shadow else ()))]


def without(table: Words, version: int) -> Words | None:
    """As `core.routing.without`, which would load more than this process should hold."""
    routes = [route for route in table["routes"] if int(route["version"]) != version]
    shadow = table.get("shadow")
    if shadow and int(shadow["version"]) == version:
        shadow = None
    if not any(route["weight"] > 0 for route in routes) or (len(routes) == 1 and not shadow):
        return None
    return {**table, "routes": routes, "shadow": shadow}


def is_same_file(one: Words, other: Words) -> bool:
    """Whether two versions differ at most in how they are logged and limited."""
    return all(one.get(key) == other.get(key) for key in {*one, *other} - {"recording", "limits"})
