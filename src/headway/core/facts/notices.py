"""Facts of what people were told: stream `notices`."""

from headway.core.facts.shared import FactBase


class NoticeSent(FactBase, frozen=True, kw_only=True):
    """A notifier took a notice, at the `n_tries`th try. `key` names what it tells of (see `core/notice`).

    An empty `key`: this notifier was met for the first time. What happened before is not told to it.
    """

    key: str
    notifier: str
    n_tries: int = 1


class NoticeFailed(FactBase, frozen=True, kw_only=True):
    """A notice was given up for one notifier after `n_tries`; `why` says what came back, without a secret."""

    key: str
    notifier: str
    why: str
    n_tries: int = 1
