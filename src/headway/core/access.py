"""Who may do what on the pages: four roles, each of which may do all that the ones before it may.

A viewer looks, an operator starts and stops what can be done again, an approver lets versions go further or back, an
admin may do everything. How somebody proves who it is, `web/access` knows.
"""

from typing import Literal, get_args

from msgspec import Struct

from headway.errors import Fault

Role = Literal["viewer", "operator", "approver", "admin"]

ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most."""


class Token(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody with a token, as headway.toml has it: its `digest` (`sha256:` and 64 hexadecimal digits), never itself.

    A digest cannot be turned back, and a token is far too long to be guessed, so that the file may lie in Git.
    """

    name: str
    role: Role
    digest: str


def may(role: Role, needed: Role) -> bool:
    """Whether a role suffices.

    >>> may("approver", "operator"), may("viewer", "operator")
    (True, False)
    """
    return ROLES.index(role) >= ROLES.index(needed)


def wrong_tokens(written: object) -> list[Fault]:
    """Digests under `web.tokens` that are none; what is not even of the right kind is told elsewhere."""
    import re

    remedy = "write it as `headway ui --token NAME` prints it: sha256: and 64 hexadecimal digits"
    found = []
    for n, one in enumerate(written if isinstance(written, list) else []):
        digest = one.get("digest") if isinstance(one, dict) else None
        if isinstance(digest, str) and not re.fullmatch("sha256:[0-9a-f]{64}", digest):
            found.append(Fault("this is no digest of a token", where=f"web.tokens[{n}].digest", remedy=remedy))
    return found
