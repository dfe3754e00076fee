"""A folder's content as a value: one form of bytes, read back only if a real folder can have made them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.ids import Digest
from headway.core.tree import (
    HEAD,
    Tree,
    TreeFile,
    TreeFolder,
    TreeLink,
    apart,
    decode_tree,
    difference,
    digest_of_tree,
    encode_tree,
    is_inside,
    quoted,
    tree_of,
    unquoted,
)
from headway.errors import BlobDamaged
from headway.testing.strategies import odd_names, trees

A, B = Digest("a" * 64), Digest("b" * 64)


@given(trees())
def test_a_tree_comes_back_from_its_bytes(tree: Tree) -> None:
    assert decode_tree(encode_tree(tree)) == tree


@given(trees(), st.randoms())
def test_the_order_of_entries_does_not_matter(tree: Tree, shuffled: Random) -> None:
    entries = list(tree.entries)
    shuffled.shuffle(entries)
    assert encode_tree(tree_of(entries)) == encode_tree(tree)


@given(trees(), trees())
def test_trees_have_one_digest_only_if_they_are_equal(one: Tree, other: Tree) -> None:
    assert (digest_of_tree(one) == digest_of_tree(other)) == (one == other)


@given(trees(), trees())
def test_what_is_apart_differs_as_the_whole_does(old: Tree, new: Tree) -> None:
    one, other = apart(encode_tree(old), encode_tree(new))
    assert difference(one, other) == difference(old, new)
    assert not set(one.entries) & set(other.entries)


@given(trees(), trees())
def test_a_difference_leads_from_one_to_the_other(old: Tree, new: Tree) -> None:
    found = difference(old, new)
    entries = {entry.path: entry for entry in old.entries}
    for entry in found.removed:
        assert entries.pop(entry.path) == entry
    for entry in found.added:
        assert entry.path not in entries
    for entry in found.changed:
        assert entries[entry.path] != entry
    entries |= {entry.path: entry for entry in (*found.added, *found.changed)}
    assert tree_of(entries.values()) == new
    assert bool(found) == (old != new)


def test_the_bytes_are_those_of_the_specification() -> None:
    tree = tree_of(
        [
            TreeFolder("empty"),
            TreeLink("latest", "v1/model.pkl"),
            TreeFile("v1/model.pkl", A, 5),
            TreeFile("run.sh", B, 1, executable=True),
            TreeFile("50%\n\udcff é", A, 0),
        ]
    )
    a, b = "a" * 64, "b" * 64
    assert (
        encode_tree(tree)
        == (
            '["headway-tree",1]\n'
            f'["file","50%25\\n%FF é","{a}",0,false]\n'
            '["dir","empty"]\n'
            '["link","latest","v1/model.pkl"]\n'
            f'["file","run.sh","{b}",1,true]\n'
            f'["file","v1/model.pkl","{a}",5,false]\n'
        ).encode()
    )


def test_entries_are_in_the_order_of_bytes() -> None:
    paths = ["a", "a-b", "b/c", "B", "é", "\U0001f4a5", "\ue000", "\udcff"]
    assert [entry.path for entry in tree_of([TreeFolder(path) for path in paths]).entries] == sorted(
        paths, key=lambda path: path.encode("utf-8", "surrogateescape")
    )


def _lines(*lines: str) -> bytes:
    return HEAD + "".join(line + "\n" for line in lines).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"anything",
        b'["headway-tree",2]\n',
        _lines("{}"),
        _lines('["file","a"]'),
        _lines('["file","a","b",1,false]'),
        _lines(f'["file","a","{"A" * 64}",1,false]'),
        _lines(f'["file","a","{"../" * 21}a",1,false]'),
        _lines('["device","a"]'),
        _lines('["dir","/etc"]'),
        _lines('["dir","../a"]'),
        _lines('["dir","a/../../b"]'),
        _lines('["dir","a/.."]'),
        _lines('["dir","./a"]'),
        _lines('["dir","."]'),
        _lines('["dir","a//b"]'),
        _lines('["dir","a/"]'),
        _lines('["dir",""]'),
        _lines('["dir","a\\u0000b"]'),
        _lines('["dir","b"]', '["dir","a"]'),
        _lines('["dir","a"]', '["dir","a"]'),
        _lines('["link","a","/etc"]', f'["file","a/passwd","{A}",1,false]'),
        _lines('["link","a","/etc"]', '["dir","a-b"]', f'["file","a/b/passwd","{A}",1,false]'),
        _lines(f'["file","a","{A}",1,false]', '["dir","a/b"]'),
        _lines('["dir","a"]', '["dir","a/b"]'),
        _lines('["dir","%"]'),
        _lines('["dir","%zz"]'),
        _lines('["dir","%ff"]'),
        _lines('["dir","%41"]'),
        _lines('["dir","%C3%A9"]'),
        _lines('["dir","%2e%2e"]'),
        _lines('["dir","\\ud800"]'),
    ],
    ids=repr,
)
def test_bytes_that_no_folder_can_have_made_are_refused(data: bytes) -> None:
    with pytest.raises(BlobDamaged) as damaged:
        decode_tree(data)
    assert damaged.value.remedy


@given(odd_names)
def test_any_name_can_be_written_as_unicode(name: str) -> None:
    text = quoted(name)
    assert text.encode().decode() == text
    assert unquoted(text) == name


@given(st.text(alphabet="%025F8aé", max_size=6))
def test_what_is_read_as_a_name_is_the_only_way_to_write_it(text: str) -> None:
    try:
        name = unquoted(text)
    except ValueError:
        return
    assert quoted(name) == text


@pytest.mark.parametrize(
    ("path", "inside"),
    [("a", True), ("a/b.c", True), ("..a/b..", True), ("...", True), ("", False), ("a\0", False), ("a/../b", False)],
)
def test_a_path_is_inside_or_not(path: str, inside: bool) -> None:
    assert is_inside(path) is inside


def test_an_empty_folder_has_a_tree_too() -> None:
    assert encode_tree(Tree()) == HEAD
    assert decode_tree(HEAD) == Tree()
