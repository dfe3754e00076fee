"""`headway push`, `fetch` and `pull` as they are typed: two clones and one remote, in a folder and on real servers."""

import json
import os
import random
from pathlib import Path

import pytest

from clones import Clone, another, content, first
from headway.testing.folders import Content, write_folder
from object_servers import Server

NOISE = random.Random(7).randbytes(1_000_000)

SHAPE: Content = {
    "large.bin": NOISE,
    "run.sh": b"#!/bin/sh\n",
    "link": "large.bin",
    "empty": {},
    "odd\nname": b"1",
    "few": {f"{i}.png": b"%d" % i for i in range(120)},
}


@pytest.fixture(params=["folder", "seaweedfs", "moto"])
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Clone:
    """A project with a remote."""
    if request.param == "folder":
        return first(tmp_path / "one", "file:../remote")
    server: Server = request.getfixturevalue("s3" if request.param == "seaweedfs" else "moto_s3")
    said = server.environ()
    # As a user does it: credentials in the environment, the server in headway.toml.
    secret = {name: said[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    clone = first(tmp_path / "one", server.url_of("cli"), secret)
    with (clone.folder / "headway.toml").open("a") as f:
        f.write(f'endpoint = "{server.endpoint}"\nregion = "us-east-1"\nallow-http = true\n')
    clone.commit("the server")
    return clone


@pytest.fixture
def local(tmp_path: Path) -> Clone:
    """A project with a remote in a folder."""
    return first(tmp_path / "one", "file:../remote")


def images(clone: Clone) -> Path:
    return clone.folder / "images"


def test_two_clones_share_what_they_have_byte_for_byte(one: Clone, tmp_path: Path) -> None:
    write_folder(str(images(one)), SHAPE)
    (one.folder / "train.csv").write_text("id,x\n1,2\n")
    one.headway("data", "add", "images", "train.csv")
    old = one.commit("May")
    assert "sent 2 of 2 artifacts" in one.headway("push")
    assert "nothing to send: 2 artifacts" in one.headway("push")
    before = content(images(one))

    two = another(one, tmp_path / "two")
    assert "fetched 2 of 2 artifacts" in two.headway("pull")
    assert content(images(two)) == before
    assert (two.folder / "train.csv").read_text() == "id,x\n1,2\n"
    assert "nothing to do" in two.headway("checkout")

    # The second changes something, the first pulls that, and then what was before.
    (images(two) / "few" / "7.png").write_bytes(b"other")
    (images(two) / "large.bin").write_bytes(NOISE[:500_000] + b"+" + NOISE[500_000:])
    two.headway("data", "add", "images")
    two.commit("June")
    sent = json.loads(two.headway("push", "--json"))
    assert sent["n_new"] == 1
    assert sent["n_bytes"] < 400_000
    one.git("pull", "-q", str(two.folder), "main")
    one.headway("pull")
    assert content(images(one)) == content(images(two))
    one.headway("pull", old)
    assert content(images(one)) == before


def test_an_old_commit_comes_to_a_clone_that_never_had_it(local: Clone, tmp_path: Path) -> None:
    seen = []
    for i in range(3):
        write_folder(str(images(local)), {"n": b"%d" % i, "same": b"same"})
        local.headway("data", "add", "images")
        seen.append((local.commit(f"{i}"), content(images(local))))
    local.headway("push", "--all")
    two = another(local, tmp_path / "two")
    for commit, was in reversed(seen):
        two.git("checkout", "-q", commit)
        two.headway("pull")
        assert content(images(two)) == was
    two.git("checkout", "-q", "main")
    two.headway("pull", seen[0][0])
    assert content(images(two)) == seen[0][1]


def test_without_a_word_the_newest_go_and_with_all_every_version(local: Clone) -> None:
    for i in range(3):
        (local.folder / "a.csv").write_text(f"{i}")
        local.headway("data", "add", "a.csv")
    local.headway("checkout", "a@2")
    assert json.loads(local.headway("push", "--json"))["n_new"] == 2
    assert json.loads(local.headway("push", "--all", "--json"))["n_new"] == 1


def test_words_narrow_it_down(local: Clone, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        (local.folder / name).write_text(name)
    local.headway("data", "add", "a.csv", "b.csv", "c.csv")
    commit = local.commit("all")
    assert json.loads(local.headway("push", "a@1", "b.csv", "--json"))["n_new"] == 2
    two = another(local, tmp_path / "two")
    assert "fetched 1 of 1 artifact" in two.headway("fetch", "a")
    assert not (two.folder / "a.csv").exists()
    assert "restored  a.csv" in two.headway("pull", "a.csv", "b.csv")
    assert not (two.folder / "c.csv").exists()
    # From a folder below, as it is seen from there.
    (two.folder / "below").mkdir()
    assert "nothing to fetch: 1 artifact" in Clone(two.folder / "below", two.environ).headway("fetch", "../a.csv")
    told = two.headway("fetch", commit, expect=1)
    assert "not all of c.csv" in told
    assert "headway push" in told


def test_models_of_the_registry_go_as_well(local: Clone, tmp_path: Path) -> None:
    (local.folder / "pipeline.yaml").write_text(
        "pipeline: p\nsteps:\n  - {name: Train, run: 'echo 1 > m.py', out: {model: m.py}}\n"
        '  - {name: Register, uses: register, with: {model: "${{ steps.train.out.model }}", name: fares}}\n'
    )
    local.headway("run")
    assert "of 2 artifacts" not in local.headway("push", "fares@1")
    local.headway("push", "fares")
    assert "nothing to send: 1 artifact" in local.headway("push", "fares@challenger")
    local.commit("a model")
    local.headway("push")
    two = another(local, tmp_path / "two")
    two.headway("pull")
    assert (two.folder / "m.py").read_text() == "1\n"


def test_pull_touches_nothing_that_no_version_holds(local: Clone, tmp_path: Path) -> None:
    (local.folder / "a.csv").write_text("1")
    local.headway("data", "add", "a.csv")
    local.commit("a")
    local.headway("push")
    two = another(local, tmp_path / "two")
    (two.folder / "a.csv").write_text("mine")
    assert "no version holds what is in a.csv" in two.headway("pull", expect=5)
    assert (two.folder / "a.csv").read_text() == "mine"
    two.headway("pull", "--force")
    assert (two.folder / "a.csv").read_text() == "1"


def test_what_was_not_pushed_is_told_and_nothing_is_touched(local: Clone, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (local.folder / name).write_text(name)
        local.headway("data", "add", name)
    local.commit("both")
    local.headway("push", "a")
    two = another(local, tmp_path / "two")
    told = two.headway("pull", expect=1)
    assert "b.csv (dataset b@1)" in told
    assert "`headway push` from a clone that has it" in told
    assert not (two.folder / "a.csv").exists()


def test_verify_heals_from_the_remote(local: Clone) -> None:
    (local.folder / "a.bin").write_bytes(NOISE)
    local.headway("data", "add", "a.bin")
    local.headway("push")
    (large,) = [
        p for p in (local.folder / ".headway" / "blobs").rglob("*") if p.is_file() and p.stat().st_size > 900_000
    ]
    data = bytearray(large.read_bytes())
    data[400_000] ^= 1
    large.chmod(0o644)
    large.write_bytes(data)
    assert "healed from the remote" in local.headway("data", "verify")
    assert "all are what they should be" in local.headway("data", "verify")


@pytest.mark.parametrize("command", ["push", "fetch", "pull"])
def test_without_a_remote_the_lines_to_write_are_told(command: str, tmp_path: Path) -> None:
    clone = first(tmp_path / "one", "")
    told = clone.headway(command, expect=2)
    assert "no remote is configured" in told
    assert '[remote] and url = "s3://BUCKET/FOLDER"' in told


MISTAKES = {
    "no place": (["push", "--remote", "/srv/x"], "is no address of a remote"),
    "no path": (["push", "--remote", "file:"], "is no address of a remote"),
    "a machine": (["push", "--remote", "file://host/x"], "write file:/host/x"),
    "a scheme nobody knows": (["push", "--remote", "ftp://x/y"], "no blobs answers to 'ftp'"),
    "no such name": (["push", "nowhere"], "names no dataset, model, version, commit or pinned path"),
    "no such version": (["fetch", "a@9"], "a has no version 9"),
    "what is at work": (["push", "work"], "no version of it"),
    "no such model": (["push", "nomodel@3"], "names no dataset, model"),
}


@pytest.mark.parametrize(("words", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told(words: list[str], told: str, local: Clone) -> None:
    (local.folder / "a.csv").write_text("1")
    local.headway("data", "add", "a.csv")
    assert told in local.headway(*words, expect=2)


def test_a_folder_that_cannot_be_is_told_as_one(local: Clone) -> None:
    (local.folder / "a.csv").write_text("1")
    local.headway("data", "add", "a.csv")
    told = local.headway("push", "--remote", f"file://{local.folder}/a.csv", expect=1)
    assert "the folder does not answer" in told
    assert f"at: {local.folder}/a.csv\n" in told


def test_nothing_to_send_is_no_fault(local: Clone) -> None:
    assert "nothing is versioned here yet" in local.headway("push")
    assert "nothing is versioned here yet" in local.headway("fetch")
    assert not os.path.exists(local.folder.parent / "remote" / "packs")


def test_a_server_that_is_not_there_is_told(local: Clone, s3: Server) -> None:
    (local.folder / "a.csv").write_text("1")
    local.headway("data", "add", "a.csv")
    wrong = Clone(local.folder, {**s3.environ(), "AWS_SECRET_ACCESS_KEY": "not the secret"})
    told = wrong.headway("push", "--remote", s3.url_of("cli"), expect=1)
    assert "AWS_" in told
    assert "not the secret" not in told


def test_hard_links_are_the_stores_own_files(local: Clone) -> None:
    with (local.folder / "headway.toml").open("a") as f:
        f.write('[store]\nlinks = "hard"\n')
    (local.folder / "a.bin").write_bytes(NOISE)
    local.headway("data", "add", "a.bin")
    (local.folder / "a.bin").unlink()
    local.headway("checkout")
    assert (local.folder / "a.bin").stat().st_nlink == 2
    assert not os.stat(local.folder / "a.bin").st_mode & 0o222


def test_a_store_in_a_bucket_needs_no_push(s3: Server, tmp_path: Path) -> None:
    environ = {**s3.environ(), "HEADWAY_STORE_URL": s3.url_of("store")}
    one = first(tmp_path / "one", "", environ)
    write_folder(str(images(one)), SHAPE)
    one.headway("data", "add", "images")
    one.commit("May")
    two = another(one, tmp_path / "two")
    two.headway("checkout")
    assert content(images(two)) == content(images(one))
