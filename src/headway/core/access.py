"""Who may do what on the pages: four roles, each of which may do all that the ones before it may.

A viewer looks, an operator starts and stops what can be done again, an approver lets versions go further or back, an
admin may do everything. How somebody proves who it is, `web/access` knows.
"""

from typing import Literal, get_args

from msgspec import Struct

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
