"""Signatures of model versions: made at registration, looked at before loading, worth nothing once a bit differs."""

import os
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from headway.codec import ed25519, model_export
from headway.core import signing
from headway.core.facts import ModelRegistered, ModelSigned, Place
from headway.core.ids import Artifact, Digest
from headway.core.registry import Registration
from headway.core.signing import Trust
from headway.errors import Conflict, ExtraMissing, FileFaulty, SignatureRefused, UsageMistaken
from headway.flows import models_trust, registry
from headway.testing.bench import MemoryParts, Trial

RULE = "def predict(rows):\n    return [0 for _ in rows]\n"


def owner(folder: Path) -> Trust:
    trust = Trust(folder=str(folder))
    models_trust.make(trust)
    return trust


def version(**changes: object) -> ModelRegistered:
    artifact = Artifact(path="m.pkl", digest=Digest("a" * 64))
    return msgspec.structs.replace(ModelRegistered(model="churn", version=1, artifact=artifact, key="k"), **changes)


def put(parts: MemoryParts, made: ModelRegistered, *signed: ModelSigned) -> None:
    parts.log.append(f"model/{made.model}", [made, *signed], expect=0, at=1.0)


def signed_by(trust: Trust, made: ModelRegistered) -> ModelSigned:
    sign = models_trust.signer(trust, by="ann")
    assert sign is not None
    found = sign(made)
    assert found is not None
    return found


def test_what_is_signed_is_this_byte_for_byte() -> None:
    assert signing.enveloped(signing.statement(version())) == (
        b'DSSEv1 28 application/vnd.in-toto+json 387 {"_type":"https://in-toto.io/Statement/v1","subject":'
        b'[{"name":"m.pkl","digest":{"blake3":"' + b"a" * 64 + b'"}}],"predicateType":"urn:headway:model-version:v1",'
        b'"predicate":{"kind":"ModelRegistered","model":"churn","version":1,"artifact":{"path":"m.pkl","digest":"'
        + b"a" * 64
        + b'"},"key":"k"}}'
    )


def test_the_signature_of_a_known_key_is_the_published_one() -> None:
    # RFC 8032, section 7.1, test 2.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = Ed25519PrivateKey.from_private_bytes(secret)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = ed25519.public_of(pem, at="here")
    assert public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = ed25519.sign(pem, b"\x72", at="here")
    assert signature.hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert ed25519.is_right(public, signature, b"\x72")
    assert not ed25519.is_right(public, signature, b"\x73")
    assert not ed25519.is_right(public, b"short", b"\x72")


def test_a_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    trust = owner(tmp_path / "keys")
    private = tmp_path / "keys" / "signing.key"
    assert stat.S_IMODE(os.stat(private).st_mode) == 0o600
    before = private.read_bytes()
    with pytest.raises(Conflict):
        models_trust.make(trust)
    assert private.read_bytes() == before
    own = models_trust.keys(trust).own
    assert signing.read_key(own) == ed25519.public_of(before, at="")


def test_registering_signs_where_there_is_a_key_and_not_elsewhere(tmp_path: Path) -> None:
    for name, is_signed in (("with", True), ("without", False)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.py").write_text(RULE)
        trial = Trial(str(folder))
        trial.parts.trust = owner(tmp_path / "keys") if is_signed else Trust(folder=str(tmp_path / "none"))
        assert trial.run("register", {"model": "model.py", "name": "churn"}) == 0
        made = registry.read(trial.parts.log, "churn")
        assert bool(made.signatures_of(1)) is is_signed
        said = models_trust.see(trial.parts.log, trial.parts.blobs, made.versions[0], trial.parts.trust)
        assert said.startswith("signed by ed25519:" if is_signed else "not signed")


CHANGES = {
    "content": {"artifact": Artifact(path="m.pkl", digest=Digest("b" + "a" * 63))},
    "number": {"version": 2},
    "name": {"model": "other"},
    "params": {"params": {"lr": 0.1}},
    "verdict": {"verdict": Digest("c" * 64)},
    "data": {"data": (Artifact(path="d.csv", digest=Digest("d" * 64)),)},
    "packages": {"place": Place(packages=Digest("e" * 64))},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("is_required", [False, True])
def test_a_signature_of_anything_else_is_refused(
    tmp_path: Path, changes: dict[str, object], *, is_required: bool
) -> None:
    trust = msgspec.structs.replace(owner(tmp_path), is_required=is_required)
    parts = MemoryParts(str(tmp_path))
    signed, changed = signed_by(trust, version()), version(**changes)
    put(parts, changed, msgspec.structs.replace(signed, model=changed.model, version=changed.version))
    with pytest.raises(SignatureRefused, match="is not right"):
        models_trust.see(parts.log, parts.blobs, changed, trust)


def test_any_bit_of_a_signature_counts(tmp_path: Path) -> None:
    trust = owner(tmp_path)
    made = version()
    signed = signed_by(trust, made)
    raw = bytearray(model_export.bytes_of(signed.signature))
    for bit in range(0, 512, 37):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        parts = MemoryParts(str(tmp_path))
        put(parts, made, msgspec.structs.replace(signed, signature=model_export.text_of(bytes(flipped))))
        with pytest.raises(SignatureRefused):
            models_trust.see(parts.log, parts.blobs, made, trust)


def test_a_policy_asks_for_a_key_that_is_trusted(tmp_path: Path) -> None:
    ann, bob = owner(tmp_path / "ann"), owner(tmp_path / "bob")
    parts = MemoryParts(str(tmp_path))
    made = version()
    put(parts, made, signed_by(bob, made))
    strict = msgspec.structs.replace(ann, is_required=True)
    assert models_trust.see(parts.log, parts.blobs, made, ann) == "signed by keys that nobody here trusts"
    with pytest.raises(SignatureRefused, match="signed only by"):
        models_trust.see(parts.log, parts.blobs, made, strict)
    knows_bob = msgspec.structs.replace(strict, keys=(models_trust.keys(bob).own,))
    assert models_trust.see(parts.log, parts.blobs, made, knows_bob).startswith("signed by ed25519:")
    assert models_trust.sign(parts.log, "churn@1", ann, now=2.0, by="ann") is not None
    assert models_trust.sign(parts.log, "churn@1", ann, now=3.0, by="ann") is None
    assert models_trust.see(parts.log, parts.blobs, made, strict).startswith("signed by ed25519:")


def test_an_unsigned_version_is_neither_loaded_nor_released_where_signatures_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(RULE)
    trial = Trial(str(tmp_path))
    trial.run("register", {"model": "model.py", "name": "churn"})
    made = registry.read(trial.parts.log, "churn").versions[0]
    assert trial.bench().load_model(made).predict([{}]).labels.tolist() == [0]
    trial.parts.trust = Trust(is_required=True)
    with pytest.raises(SignatureRefused, match="not signed"):
        trial.bench().load_model(made)
    with pytest.raises(SignatureRefused):
        trial.run("deploy", {"endpoint": "shop", "model": "churn@1", "target": "memory"})
    assert trial.parts.targets["memory"].state("shop") is None


def test_a_flipped_bit_is_named_in_the_store_and_where_it_serves(tmp_path: Path) -> None:
    parts = MemoryParts(str(tmp_path))
    digest = parts.blobs.put(b"the model")
    verdict = parts.blobs.put(b"{}")
    artifact = Artifact(path="models/m.pkl", digest=digest)
    asked = Registration(model="churn", artifact=artifact, key="k", verdict=verdict)
    made = registry.register(parts.log, asked, now=1.0).version
    folder = tmp_path / "models" / digest[:32]
    folder.mkdir(parents=True)
    (folder / "m.pkl").write_bytes(b"the model")
    trust = Trust()
    good = models_trust.verify(parts.log, parts.blobs, made, trust, copies=str(tmp_path / "models"))
    assert (good.is_right, good.n_files, good.said) == (True, 2, "not signed")
    (folder / "m.pkl").write_bytes(b"the mode1")
    parts.blobs.delete([verdict], before=1e12)
    bad = models_trust.verify(parts.log, parts.blobs, made, trust, copies=str(tmp_path / "models"))
    assert [(one.path, one.what, one.where) for one in bad.faults] == [
        ("(verdict)", "missing", "the store"),
        ("m.pkl", "damaged", str(folder / "m.pkl")),
    ]
    assert not bad.is_right


def test_without_what_reckons_signatures_that_is_said_and_unsigned_versions_are_used_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = owner(tmp_path)
    signed, unsigned = MemoryParts(str(tmp_path)), MemoryParts(str(tmp_path))
    put(signed, version(), signed_by(trust, version()))
    put(unsigned, version())
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert models_trust.see(unsigned.log, unsigned.blobs, version(), trust) == "not signed"
    with pytest.raises(ExtraMissing) as raised:
        models_trust.see(signed.log, signed.blobs, version(), trust)
    assert raised.value.remedy == "pip install 'headway[signing]'"


def test_without_a_key_nobody_signs_and_what_is_no_key_is_told(tmp_path: Path) -> None:
    parts = MemoryParts(str(tmp_path))
    put(parts, version())
    with pytest.raises(UsageMistaken, match="no key"):
        models_trust.sign(parts.log, "churn@1", Trust(folder=str(tmp_path)), now=1.0, by="")
    (tmp_path / "signing.key").write_text("not a key")
    with pytest.raises(FileFaulty):
        models_trust.sign(parts.log, "churn@1", Trust(folder=str(tmp_path)), now=1.0, by="")
