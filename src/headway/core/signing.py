"""Who vouches for a model version: what is signed, what is asked of signatures, and what is made of those there are.

Decides only: `codec/ed25519` reckons signatures, `flows/models_trust` reads keys. What is signed is a statement in the
form of in-toto (v1), wrapped as DSSE wraps it, so that other tools can check it too. It names the version's content by
digest and all that was registered with it, so that no part of it can be exchanged.
"""

import base64
from collections.abc import Collection

import msgspec
from msgspec import Struct

from headway.core.facts import ModelRegistered, ModelSigned
from headway.errors import SignatureRefused

PAYLOAD_TYPE = "application/vnd.in-toto+json"

PREFIX = "ed25519:"
"""Before a public key's 32 bytes in Base64, as people read and write it."""


class Trust(Struct, frozen=True, kw_only=True):
    """Whose signatures count here.

    `keys` are public keys as people write them; with `is_required` no version is loaded that none of them signed.
    `folder` holds the user's own key pair, if there is one; empty: nowhere.
    """

    keys: tuple[str, ...] = ()
    is_required: bool = False
    folder: str = ""


class Checked(Struct, frozen=True, kw_only=True):
    """A signature that was looked at: whether it is this version's, and whether its key is trusted here."""

    key: str
    is_right: bool
    is_trusted: bool
    by: str = ""


class _Subject(Struct, frozen=True, kw_only=True):
    name: str
    digest: dict[str, str]


class _Statement(Struct, frozen=True, kw_only=True):
    type_: str = msgspec.field(name="_type", default="https://in-toto.io/Statement/v1")
    subject: tuple[_Subject, ...]
    predicate_type: str = msgspec.field(name="predicateType", default="urn:headway:model-version:v1")
    predicate: ModelRegistered


def statement(made: ModelRegistered) -> bytes:
    """What is signed of a version: the same bytes for ever, since a field is only ever added with a default."""
    subject = _Subject(name=made.artifact.path, digest={"blake3": made.artifact.digest})
    return msgspec.json.encode(_Statement(subject=(subject,), predicate=made))


def enveloped(payload: bytes) -> bytes:
    r"""The bytes that a signature is of (DSSE's pre-authentication encoding).

    >>> enveloped(b"{}")
    b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def envelope(made: ModelRegistered, signatures: Collection[ModelSigned]) -> bytes:
    """The statement with its signatures as a DSSE envelope, for other tools."""
    signed = [{"keyid": one.key, "sig": one.signature} for one in signatures]
    payload = base64.b64encode(statement(made)).decode()
    return msgspec.json.encode({"payloadType": PAYLOAD_TYPE, "payload": payload, "signatures": signed})


def written_key(public: bytes) -> str:
    """A public key as people write it.

    >>> written_key(bytes(32))
    'ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
    """
    return PREFIX + base64.b64encode(public).decode()


def read_key(text: str) -> bytes | None:
    """The 32 bytes of such a text; None for anything else."""
    if not text.startswith(PREFIX):
        return None
    try:
        public = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        return None
    return public if len(public) == 32 else None


def judged(name: str, found: Collection[Checked], trust: Trust) -> str:
    """What is to be said of a version's signatures. Raises SignatureRefused when it must not be used.

    A wrong signature is never passed over, whoever it is by: somebody changed the version or the signature.
    """
    wrong = [one for one in found if not one.is_right]
    if wrong:
        raise SignatureRefused(
            f"the signature of {name} by {wrong[0].key} is not right: what it was made of is not what stands there now",
            at=f"model: {name}",
            remedy="do not use it; `headway audit` says whether the log was changed, register the model again",
        )
    if any(one.is_trusted for one in found):
        return "signed by " + ", ".join(one.key for one in found if one.is_trusted)
    if trust.is_required:
        only = ", ".join(one.key for one in found)
        what = f"signed only by {only}" if only else "not signed"
        raise SignatureRefused(
            f"{name} is {what}, and headway.toml asks for a signature by a trusted key",
            at=f"model: {name}",
            remedy=f"let somebody vouch for it whose key is under `trust.keys`: headway models sign {name}",
        )
    return "signed by keys that nobody here trusts" if found else "not signed"
