"""A version goes to another project whole; what was changed on the way, or would run code, is not believed."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headway.backends import connect
from headway.codec.model_export import NAME
from headway.core.facts import Metric, Place
from headway.core.ids import Artifact
from headway.core.registry import Registration
from headway.core.signing import Trust
from headway.core.tree import TreeFile, TreeLink, encode_tree, tree_of
from headway.errors import (
    BlobDamaged,
    Conflict,
    FileMissing,
    HeadwayError,
    ModelUnreadable,
    ModelUntrusted,
    SignatureRefused,
    UsageMistaken,
)
from headway.flows import models_archive, models_export, models_trust, registry
from headway.flows.models_export import Imported
from headway.ports import Blobs, Log
from headway.testing.bench import Trial


class Side:
    """One project: its log, its store and whom it trusts."""

    def __init__(self, folder: Path, *, trust: Trust | None = None) -> None:
        self.folder = folder
        self.log: Log = connect("log", "memory:")  # type: ignore[assignment] # connect answers by name
        self.blobs: Blobs = connect("blobs", "memory:")  # type: ignore[assignment] # as above
        self.trust = trust or Trust()

    def register(self, content: bytes, *, path: str = "models/model.py") -> None:
        asked = Registration(
            model="churn",
            artifact=Artifact(path=path, digest=self.blobs.put(content), size_bytes=len(content)),
            key=content.hex(),
            format="function",
            metrics=(Metric(name="auc", value=0.7),),
            verdict=self.blobs.put(b"{}"),
            answers=self.blobs.put(b'{"why":"none"}'),
            place=Place(python="3.11", packages=self.blobs.put(b"numpy==2.1.0")),
        )
        sign = models_trust.signer(self.trust, by="ann")
        registry.register(self.log, asked, now=1.0, sign=sign)
        registry.tag(self.log, "churn", 1, "owner", "ann", now=1.0)

    def export(self, name: str) -> str:
        to = str(self.folder / name)
        models_export.export(self.log, self.blobs, "churn@1", to)
        return to

    def bring(self, path: str, **words: Any) -> Imported:
        scratch = str(self.folder / "scratch")
        found = models_export.bring(self.log, self.blobs, path, self.trust, now=2.0, scratch=scratch, **words)
        assert not os.path.exists(scratch) or os.listdir(scratch) == []
        return found


RULE = b"def predict(rows):\n    return [1 for _ in rows]\n"


@pytest.fixture
def here(tmp_path: Path) -> Side:
    side = Side(tmp_path)
    side.register(RULE)
    return side


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_version_arrives_with_all_that_was_recorded(here: Side, tmp_path: Path, name: str) -> None:
    there = Side(tmp_path)
    found = there.bring(here.export(name), name="fares", alias="challenger")
    made = found.version
    assert (made.model, made.version, made.format, found.came_from, found.said) == (
        "fares",
        1,
        "function",
        "churn@1",
        "not signed",
    )
    assert made.metrics == (Metric(name="auc", value=0.7),)
    assert there.blobs.get(made.artifact.digest) == RULE
    assert made.verdict is not None
    assert there.blobs.get(made.verdict) == b"{}"
    assert made.answers is not None
    assert there.blobs.get(made.answers) == b'{"why":"none"}'
    assert made.place.packages is not None
    assert there.blobs.get(made.place.packages) == b"numpy==2.1.0"
    assert registry.read(there.log, "fares").aliases == {"challenger": 1}
    again = there.bring(str(tmp_path / name), name="fares")
    assert (again.version, again.why != "") == (made, True)


def test_what_others_say_of_content_that_is_here_already_is_not_its_verdict(here: Side, tmp_path: Path) -> None:
    path = here.export("out")
    there = Side(tmp_path)
    artifact = Artifact(path="m.py", digest=there.blobs.put(RULE), size_bytes=len(RULE))
    registry.register(there.log, Registration(model="churn", artifact=artifact, key="own", format="function"), now=1.0)
    assert there.bring(path).why
    assert registry.read(there.log, "churn").judged(1).verdict is None


def test_an_export_has_what_people_and_scanners_read_and_is_the_same_bytes_again(here: Side, tmp_path: Path) -> None:
    with zipfile.ZipFile(here.export("a.zip")) as packed:
        assert set(packed.namelist()) == {
            NAME,
            "model/model.py",
            "verdict.json",
            "answers.json",
            "packages.txt",
            "card.md",
            "bom.cdx.json",
            "statement.dsse.json",
        }
    here.export("b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with pytest.raises(Conflict):
        here.export("a.zip")
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "b.zip"]


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_folder_arrives_with_its_links(tmp_path: Path, name: str) -> None:
    here, there = Side(tmp_path), Side(tmp_path)
    files = [TreeFile("a/one.bin", here.blobs.put(b"1"), 1), TreeFile("two.bin", here.blobs.put(b"2"), 1, True)]
    tree = tree_of([*files, TreeLink("three.bin", "two.bin")])
    artifact = Artifact(path="out/model", digest=here.blobs.put(encode_tree(tree)), kind="tree", n_files=2)
    registry.register(here.log, Registration(model="churn", artifact=artifact, key="k"), now=1.0)
    # No format of this version of headway is such a folder: that is found out last, when all of it was read.
    with pytest.raises(ModelUnreadable, match="of no known model format"):
        there.bring(here.export(name))
    assert there.blobs.has([one.digest for one in files]) == {one.digest for one in files}


def spoil(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["model/model.py", "verdict.json", "answers.json", "packages.txt"])
def test_a_flipped_bit_is_named_and_nothing_is_registered(here: Side, tmp_path: Path, name: str) -> None:
    spoil(Path(here.export("out")) / name, 1)
    there = Side(tmp_path)
    with pytest.raises(BlobDamaged, match=name):
        there.bring(str(tmp_path / "out"))
    assert registry.names(there.log) == ()


def test_each_flipped_byte_of_an_archive_is_refused_or_changes_nothing_that_counts(here: Side, tmp_path: Path) -> None:
    whole = Path(here.export("out.zip")).read_bytes()
    spoilt = tmp_path / "spoilt.zip"
    n_refused = 0
    # The head of the first file in the archive whole, where a flag may say encrypted or packed in an unknown way.
    for at in (*range(40), *range(40, len(whole), 23)):
        spoilt.write_bytes(whole)
        spoil(spoilt, at)
        there = Side(tmp_path)
        try:
            found = there.bring(str(spoilt))
        except HeadwayError:
            n_refused += 1
            assert registry.names(there.log) == ()
        else:
            assert there.blobs.get(found.version.artifact.digest) == RULE
    assert n_refused > 20


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_is_neither_run_nor_served_until_somebody_vouches_for_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    here = Side(tmp_path)
    here.register(pickle.dumps(Bomb(mark)), path="m.pkl")
    path = here.export("out.zip")
    trial = Trial(str(tmp_path))
    log, blobs = trial.parts.log, trial.parts.blobs

    def bring(vouched: str = "") -> Imported:
        scratch = str(tmp_path / "scratch")
        return models_export.bring(log, blobs, path, Trust(), now=2.0, vouched=vouched, scratch=scratch)

    found = bring()
    assert (found.is_trusted, found.runs_code) == (False, True)
    with pytest.raises(ModelUntrusted, match="came from another project"):
        trial.bench().load_model(found.version)
    with pytest.raises(ModelUntrusted):
        trial.run("deploy", {"endpoint": "shop", "model": "churn@1", "target": "memory"})
    assert not mark.exists()
    for vouched in ("abc", "0" * 64):
        with pytest.raises(UsageMistaken, match="is not what"):
            bring(vouched)
    assert bring(found.version.artifact.digest[:12]).is_trusted
    with pytest.raises(HeadwayError):
        # It is run now, and turns out to be no model.
        trial.bench().load_model(found.version)
    assert mark.exists()


def owner(folder: Path, **more: Any) -> Trust:
    trust = Trust(folder=str(folder))
    models_trust.make(trust)
    return msgspec.structs.replace(trust, **more)


def test_signatures_go_along_and_a_policy_holds_for_what_comes_in(tmp_path: Path) -> None:
    ann = owner(tmp_path / "ann")
    here = Side(tmp_path, trust=ann)
    here.register(RULE)
    path = here.export("out")
    strict = Side(tmp_path, trust=owner(tmp_path / "bob", is_required=True))
    with pytest.raises(SignatureRefused, match="signed only by"):
        strict.bring(path)
    strict.trust = msgspec.structs.replace(strict.trust, keys=(models_trust.keys(ann).own,))
    found = strict.bring(path, vouched=registry.read(here.log, "churn").versions[0].artifact.digest)
    assert found.said.startswith("signed by ed25519:")
    assert models_trust.see(strict.log, strict.blobs, found.version, strict.trust).startswith("signed by ed25519:")
    manifest = Path(path) / NAME
    manifest.write_bytes(manifest.read_bytes().replace(b'"value": 0.7', b'"value": 0.9'))
    with pytest.raises(SignatureRefused, match="is not right"):
        Side(tmp_path).bring(path)


def test_what_was_imported_goes_on_as_it_came(tmp_path: Path) -> None:
    ann = owner(tmp_path / "ann")
    here = Side(tmp_path, trust=ann)
    here.register(RULE)
    middle, last = Side(tmp_path), Side(tmp_path, trust=Trust(keys=(models_trust.keys(ann).own,), is_required=True))
    middle.bring(here.export("first.zip"))
    found = last.bring(middle.export("second.zip"))
    assert (found.came_from, found.said) == ("churn@1", f"signed by {models_trust.keys(ann).own}")


ODD = {
    "no model": (lambda m: {"form": 1}, "cannot be read"),
    "later form": (lambda m: {**m, "form": 2}, "its form is 2"),
    "path that is none": (lambda m: _with(m, artifact={**m["version"]["artifact"], "path": "models/.."}), "no model"),
    "name that leaves": (lambda m: _with(m, model="../x"), "names no model"),
    "digest that is none": (lambda m: _with(m, artifact={**m["version"]["artifact"], "digest": "../x"}), "a digest"),
}


def _with(manifest: dict[str, Any], **version: Any) -> dict[str, Any]:
    return {**manifest, "version": {**manifest["version"], **version}}


@pytest.mark.parametrize(("change", "said"), ODD.values(), ids=ODD)
def test_a_manifest_that_cannot_be_meant_is_refused(here: Side, tmp_path: Path, change: Any, said: str) -> None:
    manifest = Path(here.export("out")) / NAME
    manifest.write_bytes(msgspec.json.encode(change(msgspec.json.decode(manifest.read_bytes()))))
    with pytest.raises(ModelUnreadable, match=said):
        Side(tmp_path).bring(str(tmp_path / "out"))


def repacked(path: str, changed: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """The same archive, packed otherwise; members whose names begin with a word hold what it says."""
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, data in members.items():
            packed.writestr(name, next((new for word, new in changed.items() if name.startswith(word)), data))


def test_an_archive_that_somebody_packed_arrives_as_well(here: Side, tmp_path: Path) -> None:
    path = here.export("out.zip")
    repacked(path, {})
    assert Side(tmp_path).bring(path).version.model == "churn"


@pytest.mark.parametrize("member", ["headway", "model", "verdict", "packages"])
def test_an_archive_that_unpacks_to_a_flood_is_refused_before_it_fills_the_disk(
    here: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    monkeypatch.setattr(models_archive, "ROOM_BYTES", 2**20)
    path = here.export("out.zip")
    repacked(path, {member: bytes(2**23)})
    there = Side(tmp_path)
    with pytest.raises(ModelUnreadable, match="unpacks to more than 20 times its size"):
        there.bring(path)
    assert registry.names(there.log) == ()


def test_a_flood_in_many_members_is_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_archive, "ROOM_BYTES", 2**20)
    here, there = Side(tmp_path), Side(tmp_path)
    size = 2**18
    files = [TreeFile(f"{i}.bin", here.blobs.put(bytes(size + i)), size + i) for i in range(8)]
    tree = here.blobs.put(encode_tree(tree_of(files)))
    artifact = Artifact(path="models/many", digest=tree, kind="tree", size_bytes=8 * size, n_files=8)
    registry.register(here.log, Registration(model="churn", artifact=artifact, key="many"), now=1.0)
    path = here.export("out.zip")
    repacked(path, {})
    with pytest.raises(ModelUnreadable, match="unpacks to more than 20 times its size"):
        there.bring(path)
    assert registry.names(there.log) == ()


def test_a_manifest_that_no_memory_should_hold_is_refused(
    here: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models_export, "MAX_TEXT_BYTES", 100)
    with pytest.raises(ModelUnreadable, match="is larger than any"):
        Side(tmp_path).bring(here.export("out"))


ENCRYPTED, UNHEARD_OF = 1, 99


@pytest.mark.parametrize(
    ("at", "value", "said"), [(0, ENCRYPTED, "encrypted"), (2, UNHEARD_OF, "method")], ids=["password", "packing"]
)
def test_an_archive_that_cannot_be_unpacked_is_told_from_a_damaged_one(
    here: Side, tmp_path: Path, at: int, value: int, said: str
) -> None:
    path = Path(here.export("out.zip"))
    data = bytearray(path.read_bytes())
    # Flags and method of packing lie 6 bytes into a member's own header, 8 into what the directory says of it.
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        begin = data.find(mark)
        while begin >= 0:
            data[begin + offset + at] = value
            begin = data.find(mark, begin + 1)
    path.write_bytes(bytes(data))
    there = Side(tmp_path)
    with pytest.raises(ModelUnreadable, match=f"the archive cannot be unpacked: .*{said}"):
        there.bring(str(path))
    assert registry.names(there.log) == ()


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_would_be_unpacked_into_memory_is_not(here: Side, tmp_path: Path, compression: int) -> None:
    path = here.export("out.zip")
    repacked(path, {}, compression=compression)
    with pytest.raises(ModelUnreadable, match=r"cannot be unpacked: .* is packed by a method other than deflate"):
        Side(tmp_path).bring(path)


def test_what_is_no_export_is_told(here: Side, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        here.bring(str(tmp_path / "none.zip"))
    (tmp_path / "notes.zip").write_text("hello")
    with pytest.raises(ModelUnreadable, match="the archive is damaged"):
        here.bring(str(tmp_path / "notes.zip"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelUnreadable, match=r"there is no headway-model\.json"):
        here.bring(str(tmp_path / "empty"))
    out = Path(here.export("out"))
    (out / "model" / "model.py").unlink()
    with pytest.raises(ModelUnreadable, match=r"model/model.py is missing"):
        Side(tmp_path).bring(str(out))
