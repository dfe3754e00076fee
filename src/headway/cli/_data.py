"""What `cli/data` need not be imported for: `headway data status` where nothing is versioned, and other commands.

`headway data validate` is `headway validate`: tables of data have commands of their own.
"""

import os
import sys

_COMMANDS = ("validate", "schema", "profile")

_EMPTY = {"": "nothing is versioned here yet: headway data add PATH\n", "--json": "[]\n"}


def quick(words: list[str]) -> int | None:
    """The exit code, if that was all there was to say."""
    if words[:1] and words[0] in _COMMANDS:
        from headway.cli import dispatch

        return dispatch(words)
    if words[:1] != ["status"] or not set(words[1:]) <= {"--json", "--check"}:
        return None
    folder = os.getcwd()
    # Whichever folder from here upwards is the project's: none of them has a lock.
    while not os.path.lexists(os.path.join(folder, "headway.lock")):
        above = os.path.dirname(folder)
        if above == folder:
            sys.stdout.write(_EMPTY["--json" if "--json" in words else ""])
            return 0
        folder = above
    return None
