"""Notices by a web hook: one POST to an address, as plain JSON or as Slack and Teams want it.

Plain JSON is signed where there is a secret, as GitHub signs its own: `X-Headway-Signature-256: sha256=…` over the
body. Neighbours: `notifier_smtp`, `notifier_command`. What a notice says is `codec/notices`' business.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from headway.codec import notices
from headway.core.courier import Receipt
from headway.core.notice import Notice
from headway.core.notifier import Ready
from headway.errors import UsageMistaken
from headway.ports import Notifier

SILENCE_S = 10.0
"""An address that says nothing for so long is given up for now."""

LONGEST_WAIT_S = 3600.0
"""Who asks for more patience than that is asked again after it."""

SAID_BYTES = 300
"""So much of an answer is told."""

_NEVER = frozenset({400, 413, 415, 422})
"""What is said of the notice, not of the address: it will not be taken the next time either."""


class WebhookNotifier:
    """An address of the web. It may be the secret itself (of chats it is), so that it is never told."""

    __slots__ = ("_form", "_links", "_project", "_secret", "_url")

    def __init__(self, url: str, ready: Ready) -> None:
        self._url = url
        self._form = ready.written.form
        self._links = ready.links
        self._project = ready.project
        self._secret = ready.secret

    def send(self, notice: Notice) -> Receipt:
        """POST it. See `Notifier`."""
        from headway import __version__

        data = notices.body(notice, self._form, project=self._project, links=self._links)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"headway/{__version__}",
            "Idempotency-Key": hashlib.sha256(f"{self._project}\n{notice.key}".encode()).hexdigest(),
        }
        if self._secret:
            headers["X-Headway-Signature-256"] = "sha256=" + hmac.digest(self._secret.encode(), data, "sha256").hex()
        request = Request(self._url, data=data, headers=headers, method="POST")  # noqa: S310 (`connect` looked at it)
        try:
            # Not where an answer points: a notice may say what others are not to read.
            with build_opener(_Stay).open(request, timeout=SILENCE_S):
                return Receipt()
        except HTTPError as e:
            with e:
                said = e.read(SAID_BYTES)
            return self._refused(e, said)
        except (URLError, HTTPException, OSError, ValueError) as e:
            why = e.reason if isinstance(e, URLError) else e
            return Receipt(why=self._clean(f"the web hook does not answer: {why}"))

    def _refused(self, e: HTTPError, said: bytes) -> Receipt:
        told = notices.line(said.decode("utf-8", "replace"))
        why = f"the web hook refuses: {e.code} {e.reason}" + (f" ({told})" if told and "<" not in told else "")
        wait = e.headers.get("Retry-After", "") if e.headers else ""
        wait_s = min(float(wait), LONGEST_WAIT_S) if re.fullmatch(r"[0-9]{1,9}", wait) else 0.0
        return Receipt(why=self._clean(why), is_final=e.code in _NEVER, wait_s=wait_s)

    def _clean(self, why: str) -> str:
        """The words without what opens doors, should they repeat it."""
        parts = urlsplit(self._url)
        for secret in (self._url, parts.path + (f"?{parts.query}" if parts.query else ""), parts.query, self._secret):
            if len(secret) > 1:
                why = why.replace(secret, "***")
        return why


_: type[Notifier] = WebhookNotifier


class _Stay(HTTPRedirectHandler):
    # The base class says what these are; None: a redirect is an error like others.
    def redirect_request(self, *_: object) -> None:
        return None


def connect(url: str, environ: Mapping[str, str]) -> WebhookNotifier:
    """The web hook behind `webhook:https://…`; nothing is asked of it yet. Raises UsageMistaken.

    `NOTIFIER` has a `Ready` as JSON.
    """
    address = url.partition(":")[2]
    ready = msgspec.json.decode(environ["NOTIFIER"], type=Ready)
    if not _is_of_the_web(address):
        raise UsageMistaken(
            "the address of the web hook is none of the web",
            at=f"headway.toml: notify.{ready.written.called}",
            remedy="see that `to`, or the variable of `to-env`, holds https://HOST/PATH",
        )
    return WebhookNotifier(address, ready)


def _is_of_the_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        # No address at all, or a port that cannot be.
        return False
