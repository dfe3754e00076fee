"""Ed25519: key pairs and signatures as bytes and PEM texts. The one place that meets `cryptography`.

Knows no file: `flows/models_trust` reads and writes keys.
"""

from typing import TYPE_CHECKING

from headway.errors import ExtraMissing, FileFaulty

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def new_key() -> bytes:
    """A fresh private key: PKCS 8 in PEM, without a password. Raises ExtraMissing."""
    _need()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_of(pem: bytes, *, at: str) -> bytes:
    """The 32 bytes of the public key that belongs to a private one. Raises ExtraMissing, FileFaulty."""
    return _private(pem, at=at).public_key().public_bytes_raw()


def sign(pem: bytes, message: bytes, *, at: str) -> bytes:
    """The 64 bytes of a signature. Raises ExtraMissing, FileFaulty."""
    return _private(pem, at=at).sign(message)


def is_right(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature is of this message by this key. Raises ExtraMissing."""
    _need()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(pem: bytes, *, at: str) -> "Ed25519PrivateKey":
    _need()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise _no_key(at) from e
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(at)
    return key


def _no_key(at: str) -> FileFaulty:
    return FileFaulty(
        "this is no Ed25519 private key in PEM without a password",
        at=at,
        remedy="move it away and make one: headway models keys --make",
    )


def _need() -> None:
    """Raises ExtraMissing where `cryptography` is not installed."""
    try:
        import cryptography  # noqa: F401 (to see whether it is there)
    except ImportError as e:
        raise ExtraMissing(
            "signatures need the package cryptography", at="signing", remedy="pip install 'headway[signing]'"
        ) from e
