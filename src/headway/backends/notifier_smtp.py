"""Notices by e-mail, over a mail server that is named in headway.toml.

The connection is encrypted where the server can; a password is sent over no other. Neighbours: `notifier_webhook`,
`notifier_command`. What a mail says is `codec/notices`' business.
"""

import smtplib
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from headway.codec import notices
from headway.core.courier import Receipt
from headway.core.notice import Notice
from headway.core.notifier import Ready
from headway.errors import UsageMistaken
from headway.ports import Notifier

SILENCE_S = 10.0
"""A server that says nothing for so long is given up for now."""


class SmtpNotifier:
    """Mailboxes behind one server; each notice is one mail to all of them."""

    __slots__ = ("_authorities", "_links", "_password", "_project", "_receivers", "_settings")

    def __init__(self, receivers: tuple[str, ...], ready: Ready, *, authorities: str) -> None:
        self._receivers = receivers
        self._settings = ready.written
        self._links = ready.links
        self._project = ready.project
        self._password = ready.secret
        self._authorities = authorities

    def send(self, notice: Notice) -> Receipt:
        """Send the mail. See `Notifier`."""
        settings = self._settings
        sender = settings.sender or self._receivers[0]
        message = notices.mail(
            notice, project=self._project, links=self._links, sender=sender, receivers=self._receivers
        )
        try:
            with self._opened() as server:
                refused = server.send_message(message)
        except smtplib.SMTPResponseException as e:
            why = f"the mail server refuses: {e.smtp_code} {_words(e.smtp_error)}"
            # Who may log in or send can be mended; what the server says of the mail itself stays true.
            return Receipt(why=self._clean(why), is_final=isinstance(e, smtplib.SMTPDataError) and e.smtp_code >= 500)
        except smtplib.SMTPRecipientsRefused as e:
            return Receipt(why=self._clean(_each(e.recipients)))
        except (smtplib.SMTPException, OSError, UnicodeError) as e:
            return Receipt(why=self._clean(f"the mail server does not answer as it should: {notices.line(str(e))}"))
        if refused:
            # The others have it: to send it again would tell them twice.
            return Receipt(why=self._clean(_each(refused)), is_final=True)
        return Receipt()

    def _opened(self) -> smtplib.SMTP:
        """A connection that greeted and, where there is a user, logged in. Raises SMTPException, OSError."""
        parts = urlsplit(self._settings.server)
        host = parts.hostname or ""
        context = ssl.create_default_context(cafile=self._authorities or None)
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=SILENCE_S, context=context)
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=SILENCE_S)
        try:
            server.ehlo()
            is_safe = parts.scheme == "smtps"
            if not is_safe and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
                is_safe = True
            self._log_in(server, is_safe=is_safe)
        except BaseException:
            server.close()
            raise
        return server

    def _log_in(self, server: smtplib.SMTP, *, is_safe: bool) -> None:
        if not self._settings.user:
            return
        if not is_safe:
            raise smtplib.SMTPException("it offers no encryption, and a password is not sent without")
        server.login(self._settings.user, self._password)

    def _clean(self, why: str) -> str:
        return why.replace(self._password, "***") if self._password else why


_: type[Notifier] = SmtpNotifier


def connect(url: str, environ: Mapping[str, str]) -> SmtpNotifier:
    """The mailboxes of `smtp:ann@example.com, bob@example.com`; no server is asked yet. Raises UsageMistaken.

    `NOTIFIER` has a `Ready` as JSON, `SSL_CERT_FILE` whom to believe where that is not the system's own list.
    """
    ready = msgspec.json.decode(environ["NOTIFIER"], type=Ready)
    receivers = tuple(one.strip() for one in url.partition(":")[2].split(",") if one.strip())
    sender = ready.written.sender
    if not receivers or not all("@" in one and one.isprintable() for one in (*receivers, sender or "@")):
        raise UsageMistaken(
            f"{', '.join([*receivers, *([sender] if sender else [])])!r} is no address of e-mail",
            at=f"headway.toml: notify.{ready.written.called}",
            remedy="write NAME@HOST, several with commas between them",
        )
    return SmtpNotifier(receivers, ready, authorities=environ.get("SSL_CERT_FILE", ""))


def _words(said: bytes | str) -> str:
    return notices.line(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)


def _each(refused: Mapping[str, tuple[int, bytes]]) -> str:
    told = [f"{address}: {code} {_words(said)}" for address, (code, said) in refused.items()]
    return "the mail server refuses " + "; ".join(told)
