"""Notices by e-mail, over real servers of aiosmtpd: plain, with STARTTLS and a password, encrypted from the start."""

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeGuard

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from headway.backends import connect
from headway.core.notifier import Notifying, Ready
from headway.errors import UsageMistaken
from headway.ports import Notifier
from headway.testing.notifier_contract import ODD, PLAIN, SECRET, Arrived, NotifierContract
from services import free_port

HOST = "127.0.0.1"


class Mailbox:
    """Keeps what comes. `said` is what it answers to a whole mail, `unknown` are receivers that it refuses."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.n_logged_in = 0
        self.said = "250 OK"
        self.unknown: set[str] = set()

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if address in self.unknown:
            return f"550 no such user, and {SECRET} is no password"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (as above)
        self.n_logged_in += bool(session.authenticated)
        if self.said.startswith("250"):
            self.got.append(envelope)
        return self.said

    @property
    def mails(self) -> list[EmailMessage]:
        read = [message_from_bytes(one.content, policy=policy.default) for one in self.got if _is_bytes(one.content)]
        assert len(read) == len(self.got)
        return read


def _is_bytes(content: bytes | str | None) -> TypeGuard[bytes]:
    return isinstance(content, bytes)


def login(*args: Any) -> AuthResult:
    data = args[-1]
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"robot", SECRET.encode())
    return AuthResult(success=is_right, handled=False)


Serve = Callable[..., Controller]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def serve(mailbox: Mailbox) -> Iterator[Serve]:
    begun: list[Controller] = []

    def start(port: int = 0, **how: Any) -> Controller:
        server = Controller(mailbox, hostname=HOST, port=port or free_port(), **how)
        server.start()
        begun.append(server)
        return server

    yield start
    for one in begun:
        if one._thread is not None:
            one.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this address, with its key in the same file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    began = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + dt.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("mail") / "mail.pem"
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate)
    return made


TO = "ann@example.com, bob@example.com"


def made(
    server: str, *, to: str = TO, user: str = "", believed: str = "", sender: str = "", links: str = ""
) -> Notifier:
    written = Notifying(kind="smtp", to=to, server=server, user=user, secret_env="PW", sender=sender)
    ready = Ready(written=written, secret=SECRET, project="churn", links=links)
    environ = {"NOTIFIER": msgspec.json.encode(ready).decode(), "SSL_CERT_FILE": believed}
    return connect("notifier", f"smtp:{to}", environ)  # type: ignore[return-value] # connect answers by name


class TestSmtpNotifier(NotifierContract):
    @pytest.fixture(autouse=True)
    def served(self, mailbox: Mailbox, serve: Serve) -> None:
        self.mailbox, self.serve = mailbox, serve
        self.server = serve()

    def make(self) -> Notifier:
        return made(f"smtp://{HOST}:{self.server.port}")

    def arrived(self) -> list[Arrived]:
        return [
            Arrived(
                mark=str(mail["Message-ID"]),
                words=f"{mail['Subject']}\n{mail.get_content()}",
                receivers=tuple(envelope.rcpt_tos),
            )
            for envelope, mail in zip(self.mailbox.got, self.mailbox.mails, strict=True)
        ]

    def down(self) -> None:
        self.server.stop()

    def up(self) -> None:
        self.server = self.serve(self.server.port)


def test_a_mail_says_all_and_is_addressed_to_all(mailbox: Mailbox, serve: Serve) -> None:
    url = f"smtp://{HOST}:{serve().port}"
    notifier = made(url, sender="headway@example.com", links="https://h.example.com")
    assert notifier.send(PLAIN).why == ""
    (mail,) = mailbox.mails
    assert mailbox.got[0].rcpt_tos == ["ann@example.com", "bob@example.com"]
    assert mailbox.got[0].mail_from == "headway@example.com"
    assert mail["To"] == "ann@example.com, bob@example.com"
    assert mail["Subject"] == "[churn] run 7 of churn failed"
    assert mail["Date"].datetime.timestamp() == PLAIN.at
    lines = mail.get_content().splitlines()
    assert lines[-2:] == ["next: headway logs 7 train", "https://h.example.com/runs/7"]


def test_nothing_in_a_notice_becomes_a_header(mailbox: Mailbox, serve: Serve) -> None:
    made(f"smtp://{HOST}:{serve().port}").send(ODD)
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mailbox.got[0].rcpt_tos == ["ann@example.com", "bob@example.com"]
    assert "\n..\nthe end" in mail.get_content().replace("\r\n", "\n")


def test_a_password_goes_over_a_connection_that_became_encrypted(
    mailbox: Mailbox, serve: Serve, certificate: Path
) -> None:
    server = serve(tls_context=context(certificate), authenticator=login, auth_required=True)
    notifier = made(f"smtp://{HOST}:{server.port}", user="robot", believed=str(certificate))
    assert notifier.send(PLAIN).why == ""
    assert (len(mailbox.got), mailbox.n_logged_in) == (1, 1)


def test_a_server_may_be_encrypted_from_the_start(mailbox: Mailbox, serve: Serve, certificate: Path) -> None:
    server = serve(ssl_context=context(certificate), authenticator=login, auth_require_tls=False)
    notifier = made(f"smtps://{HOST}:{server.port}", user="robot", believed=str(certificate))
    assert notifier.send(PLAIN).why == ""
    assert (len(mailbox.got), mailbox.n_logged_in) == (1, 1)


def test_a_password_is_not_sent_where_others_could_read_it(mailbox: Mailbox, serve: Serve) -> None:
    seen: list[object] = []

    def note(*args: Any) -> AuthResult:
        seen.append(args)
        return AuthResult(success=True)

    server = serve(authenticator=note, auth_require_tls=False)
    receipt = made(f"smtp://{HOST}:{server.port}", user="robot").send(PLAIN)
    assert "a password is not sent without" in receipt.why
    assert not receipt.is_final
    assert seen == mailbox.got == []


def test_a_server_that_nobody_vouches_for_gets_no_password(mailbox: Mailbox, serve: Serve, certificate: Path) -> None:
    server = serve(tls_context=context(certificate), authenticator=login)
    receipt = made(f"smtp://{HOST}:{server.port}", user="robot").send(PLAIN)
    assert "certificate" in receipt.why.lower()
    assert mailbox.got == []


def test_a_wrong_password_is_told_and_not_shown(serve: Serve, certificate: Path) -> None:
    server = serve(tls_context=context(certificate), authenticator=login)
    receipt = made(f"smtp://{HOST}:{server.port}", user="robert", believed=str(certificate)).send(PLAIN)
    assert receipt.why.startswith("the mail server refuses: 535")
    assert not receipt.is_final
    assert SECRET not in receipt.why


def test_a_mail_that_is_never_taken_is_final_and_one_that_may_be_is_not(mailbox: Mailbox, serve: Serve) -> None:
    notifier = made(f"smtp://{HOST}:{serve().port}")
    mailbox.said = "554 too much of a mail"
    never = notifier.send(PLAIN)
    assert (never.is_final, never.why) == (True, "the mail server refuses: 554 too much of a mail")
    mailbox.said = "451 come back later"
    assert not notifier.send(PLAIN).is_final


def test_an_unknown_receiver_does_not_keep_it_from_the_others_and_is_not_tried_again(
    mailbox: Mailbox, serve: Serve
) -> None:
    mailbox.unknown = {"bob@example.com"}
    receipt = made(f"smtp://{HOST}:{serve().port}").send(PLAIN)
    assert mailbox.got[0].rcpt_tos == ["ann@example.com"]
    assert receipt.is_final
    assert receipt.why == "the mail server refuses bob@example.com: 550 no such user, and *** is no password"
    mailbox.unknown |= {"ann@example.com"}
    assert not made(f"smtp://{HOST}:{serve().port}").send(PLAIN).is_final


@pytest.mark.parametrize("to", ["", " , ", "ann", "ann@example.com\nBcc: eve@example.com"])
def test_what_is_no_address_is_refused(to: str) -> None:
    with pytest.raises(UsageMistaken, match="no address of e-mail"):
        made("smtp://127.0.0.1:25", to=to)
