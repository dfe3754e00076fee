"""What a folder holds, as a value: its entries, the bytes they are kept as, and what differs between two of them.

Pure: `flows/store` reads and writes folders. The bytes are specified in `docs/formats/store.md`. Paths are relative to
the folder, with `/`; a name that is not UTF-8 holds the stray bytes as Python does (surrogate escapes).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter

import msgspec
from blake3 import blake3
from msgspec import Struct

from headway.core.ids import Digest
from headway.errors import BlobDamaged

HEAD = b'["headway-tree",1]\n'
"""The first line of every tree."""

PASSED_OVER = frozenset({"__pycache__", ".git", ".headway", ".ipynb_checkpoints", ".DS_Store"})
"""Names in a folder that are no part of its content: tools write them beside it while a step merely reads."""


class TreeFile(Struct, frozen=True, array_like=True, tag="file", gc=False):
    """A file: what it holds, how much, and whether it may be executed."""

    path: str
    digest: Digest
    size_bytes: int
    executable: bool = False


class TreeLink(Struct, frozen=True, array_like=True, tag="link", gc=False):
    """A symbolic link, kept as such: what it points to is not looked at."""

    path: str
    target: str


class TreeFolder(Struct, frozen=True, array_like=True, tag="dir", gc=False):
    """A folder in which there is nothing; others are told by the paths of what is in them."""

    path: str


TreeEntry = TreeFile | TreeLink | TreeFolder


class Tree(Struct, frozen=True):
    """The entries of a folder in the order of their paths' bytes. Make it with `tree_of`."""

    entries: tuple[TreeEntry, ...] = ()

    @property
    def files(self) -> list[TreeFile]:
        """Its files, without links and empty folders."""
        return [entry for entry in self.entries if isinstance(entry, TreeFile)]


class TreeDiff(Struct, frozen=True, kw_only=True):
    """What must be done to one tree to make it another; `changed` holds the entries of the other."""

    added: tuple[TreeEntry, ...] = ()
    removed: tuple[TreeEntry, ...] = ()
    changed: tuple[TreeEntry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def tree_of(entries: Iterable[TreeEntry]) -> Tree:
    """A tree of entries in any order.

    >>> tree_of([TreeFolder("b"), TreeLink("a", "b")]).entries[0].path
    'a'
    """
    found = list(entries)
    # Texts of plain letters stand in the order of their bytes.
    is_plain = "".join([entry.path for entry in found]).isascii()
    found.sort(key=attrgetter("path") if is_plain else lambda entry: _key(entry.path))
    return Tree(tuple(found))


def encode_tree(tree: Tree) -> bytes:
    r"""The bytes a tree is kept as: equal trees give equal bytes.

    >>> encode_tree(tree_of([TreeFolder("b"), TreeLink("a", "b")]))
    b'["headway-tree",1]\n["link","a","b"]\n["dir","b"]\n'
    """
    try:
        lines = _encoder.encode_lines(tree.entries)
    except UnicodeEncodeError:
        lines = b"%"
    if b"%" in lines:
        lines = _encoder.encode_lines([_with_texts(entry, quoted) for entry in tree.entries])
    return HEAD + lines


@lru_cache(maxsize=1)
def decode_tree(data: bytes) -> Tree:
    """Read such bytes. Raises BlobDamaged for anything `encode_tree` cannot have made of a real folder.

    So a path never leaves the folder, and nothing lies below a file or a link. The last tree is kept: who makes a
    folder sees first that all of it is there.
    """
    if not data.startswith(HEAD):
        raise _damaged("it does not begin as a tree does")
    try:
        entries = _decoder.decode_lines(data[len(HEAD) :])
        if b"%" in data:
            entries = [_with_texts(entry, unquoted) for entry in entries]
    except (msgspec.MsgspecError, ValueError) as e:
        raise _damaged(str(e)) from e
    _check(entries)
    return Tree(tuple(entries))


def digest_of_tree(tree: Tree) -> Digest:
    """The name of a tree: the digest of its bytes."""
    return Digest(blake3(encode_tree(tree)).hexdigest())


def difference(old: Tree, new: Tree) -> TreeDiff:
    """What must be done to `old` to make it `new`.

    >>> one, two = tree_of([TreeFolder("a")]), tree_of([TreeFolder("b")])
    >>> [entry.path for entry in difference(one, two).removed]
    ['a']
    """
    before = {entry.path: entry for entry in old.entries}
    after = {entry.path: entry for entry in new.entries}
    return TreeDiff(
        added=tuple(entry for path, entry in after.items() if path not in before),
        removed=tuple(entry for path, entry in before.items() if path not in after),
        changed=tuple(entry for path, entry in after.items() if path in before and before[path] != entry),
    )


def apart(old: bytes, new: bytes) -> tuple[Tree, Tree]:
    r"""Of two trees' bytes what only one of them has: `difference` of these is that of the whole trees, sooner.

    Raises BlobDamaged for bytes that are no tree; what both have is not looked at.

    >>> one, two = tree_of([TreeFolder("a"), TreeFolder("b")]), tree_of([TreeFolder("b")])
    >>> [entry.path for entry in apart(encode_tree(one), encode_tree(two))[0].entries]
    ['a']
    """
    before, after = _lines(old), _lines(new)
    return _without(before, set(after)), _without(after, set(before))


def quoted(path: str) -> str:
    r"""A path with each stray byte as `%XX` and `%` as `%25`: so any name can be written as UTF-8.

    >>> quoted("100%"), quoted("a\udcffb")
    ('100%25', 'a%FFb')
    """
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in path.replace("%", "%25"))


def unquoted(text: str) -> str:
    r"""The path again. Raises ValueError for what `quoted` cannot have made.

    >>> unquoted("a%FFb") == "a\udcffb"
    True
    """
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    path = first
    for part in rest:
        code = int(part[:2], 16)
        path += ("%" if code == 0x25 else chr(0xDC00 + code)) + part[2:]
    # Stray bytes that make UTF-8 together would be a second way to write a name.
    if quoted(path) != text or path.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") != path:
        raise ValueError(f"{text!r} is not a quoted path")
    return path


def is_inside(path: str) -> bool:
    """Whether a relative path, as it is written, names something below where it starts.

    >>> is_inside("a/b"), is_inside("../b"), is_inside("/a"), is_inside("a//b"), is_inside(".")
    (True, False, False, False, False)
    """
    wrapped = f"/{path}/"
    return not ("//" in wrapped or "/./" in wrapped or "/../" in wrapped or "\0" in path)


def _lines(data: bytes) -> list[bytes]:
    if not data.startswith(HEAD):
        raise _damaged("it does not begin as a tree does")
    return data[len(HEAD) :].split(b"\n")


def _without(lines: list[bytes], others: set[bytes]) -> Tree:
    return decode_tree(HEAD + b"\n".join([line for line in lines if line not in others]))


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[TreeEntry] = msgspec.json.Decoder(TreeEntry)


def _key(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _with_texts(entry: TreeEntry, change: Callable[[str], str]) -> TreeEntry:
    match entry:
        case TreeFile():
            return TreeFile(change(entry.path), entry.digest, entry.size_bytes, entry.executable)
        case TreeLink():
            return TreeLink(change(entry.path), change(entry.target))
        case TreeFolder():
            return TreeFolder(change(entry.path))


def _check(entries: Sequence[TreeEntry]) -> None:
    paths = [entry.path for entry in entries]
    _check_places(paths)
    files = [entry for entry in entries if isinstance(entry, TreeFile)]
    if not _are_digests([file.digest for file in files]):
        odd = next(file for file in files if not _are_digests([file.digest]))
        raise _damaged(f"{odd.path!r} has no digest")
    taken = set(paths)
    folders: set[str] = set()
    pending = {path.rpartition("/")[0] for path in paths}
    while pending:
        folders |= pending
        pending = {path.rpartition("/")[0] for path in pending} - folders
    # In the order of bytes `a-b` stands between `a` and `a/b`, so this is seen only at the end.
    if both := taken & folders:
        raise _damaged(f"{min(both)!r} is no folder, yet holds something")


def _check_places(paths: Sequence[str]) -> None:
    """See that paths stay in the folder and stand in order.

    All are searched as one text, which takes a tenth of the time; only if that finds something, each by itself.
    """
    wrapped = "/" + "/\n/".join(paths) + "/"
    if any(sign in wrapped for sign in ("//", "/./", "/../", "\0")):
        for path in paths:
            if not is_inside(path):
                raise _damaged(f"the path {path!r} leaves the folder")
    # Texts of plain letters stand in the order of their bytes.
    keys: Sequence[str | bytes] = paths if wrapped.isascii() else [_key(path) for path in paths]
    for before, key in pairwise(keys):
        if key <= before:  # type: ignore[operator] # all are texts, or all are bytes
            path = key if isinstance(key, str) else key.decode("utf-8", "surrogateescape")
            raise _damaged(f"the path {path!r} is not in its place")


def _are_digests(texts: Sequence[str]) -> bool:
    try:
        # Blanks between the digits would be read over, and make the text another than what is given back.
        return all(len(text) == 64 for text in texts) and bytes.fromhex("".join(texts)).hex() == "".join(texts)
    except ValueError:
        return False


def _damaged(what: str) -> BlobDamaged:
    return BlobDamaged(
        f"the list of a folder's content cannot be used: {what}",
        at="store: tree",
        remedy="do not trust where it came from; run the step that made the folder again",
    )
