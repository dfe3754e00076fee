"""Who is told: what a user writes under `[[notify]]` of headway.toml, and what is wrong with it.

No secret stands there: an address that opens doors (that of a chat) is named by the variable that holds it. Neighbours:
`core/notice` says what is told, a back-end for each `kind` tells it.
Read with the settings of every command, so that it imports nothing that costs time.
"""

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

Topic = Literal["alarm", "run", "release", "data"]
"""What a notice is about: what a monitor saw, a run that did not pass, a release, data that were stopped."""

Form = Literal["json", "slack", "teams"]
"""How a web hook wants it: plain JSON for a program of one's own, or as one of the chats does."""


class Notifying(Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True, omit_defaults=True):
    """One of those who are told."""

    kind: str
    """How: `webhook`, `smtp` (e-mail) or `command`; another package can bring more."""
    name: str = ""
    """What it is called in the log; empty: its kind."""
    to: str = ""
    """The address of the web hook, addresses of e-mail with commas between them, or the command."""
    to_env: str = ""
    """The variable of the environment that holds it instead."""
    form: Form = "json"
    """Of a web hook: what is sent."""
    secret_env: str = ""
    """The variable that holds what JSON is signed with, or the password of the mail server."""
    server: str = ""
    """Of e-mail: `smtp://host:587`, encrypted from the greeting on where the server can, or `smtps://host`."""
    user: str = ""
    """Of e-mail: who logs in there."""
    sender: str = field(default="", name="from")
    """Of e-mail: the address of the sender; empty: the first of the receivers."""
    about: tuple[Topic, ...] = ()
    """What it is told of; empty: everything."""

    @property
    def called(self) -> str:
        """Its name, or its kind where it has none."""
        return self.name or self.kind

    def wants(self, topic: Topic) -> bool:
        """Whether it is told of this."""
        return not self.about or topic in self.about


class Ready(Struct, frozen=True, kw_only=True):
    """What its back-end is given: what was written, and what the environment held.

    `secret` signs or logs in. `links` is where people find the pages of `headway up`; empty: notices have no link.
    `project` is what the project is called, `folder` where it lies.
    """

    written: Notifying
    secret: str = ""
    links: str = ""
    project: str = ""
    folder: str = ""


class Wrong(Struct, frozen=True, kw_only=True):
    """A fault of the `n`th of them (from 0), in the field as it is written."""

    n: int
    field: str
    problem: str
    remedy: str


# As texts: every command reads settings, few have anybody to tell.
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_SERVER = r"smtps?://([^\s/:@\[\]]+|\[[0-9A-Fa-f:]+\])(:(?P<port>[0-9]{1,5}))?/?"
_LAST_PORT = 65535


def wrong(found: Sequence[Notifying]) -> list[Wrong]:
    """What is of the right kind there and yet cannot be meant."""
    faults = []
    taken: dict[str, int] = {}
    for n, one in enumerate(found):
        faults += [Wrong(n=n, field=name, problem=problem, remedy=remedy) for name, problem, remedy in _of(one)]
        if taken.setdefault(one.called, n) != n:
            problem = f"another one is called {one.called!r}"
            faults.append(Wrong(n=n, field="name", problem=problem, remedy="give each a `name` of its own"))
    return faults


def _of(one: Notifying) -> list[tuple[str, str, str]]:
    faults = []
    if bool(one.to) == bool(one.to_env):
        how = "both say" if one.to else "neither says"
        remedy = 'write `to-env = "NAME"`, the variable that holds the address, or `to = "…"` where it is no secret'
        faults.append(("to", f"`to` and `to-env`: {how} who is told", remedy))
    for name, value in (("to-env", one.to_env), ("secret-env", one.secret_env)):
        if value and not re.fullmatch(_VARIABLE, value):
            # Most likely the secret itself: it is not said again.
            remedy = "write the variable's name here, and the secret into the environment of `headway up`"
            faults.append((name, "it is no name of a variable", remedy))
    if one.kind == "webhook" and one.to and not one.to.startswith(("https://", "http://")):
        faults.append(("to", "it is no address of the web", "write https://HOST/PATH"))
    server = re.fullmatch(_SERVER, one.server)
    if one.kind == "smtp" and (server is None or not 0 < int(server["port"] or 1) <= _LAST_PORT):
        problem = "it is no mail server" if one.server else "it is missing"
        faults.append(("server", problem, "write smtp://HOST:587 or smtps://HOST; `user` and `secret-env` log in"))
    return faults
