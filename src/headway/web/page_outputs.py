"""What a step made, as it lies in the store: a file with its beginning, or a folder with its files.

What is shown of a file is text, or a picture in a place where nothing in it runs. Neighbour: `downloads` hands it out.
"""

from msgspec import Struct
from msgspec.structs import replace

from headway.core.ids import Artifact, RunId
from headway.core.tree import TreeFile, TreeFolder, TreeLink, decode_tree
from headway.errors import BlobMissing, NameUnknown
from headway.web.named import run_number, run_of, step_of
from headway.web.pages import Asked, Page

PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
"""Files that a page can show in an `<img>`, where no script of theirs runs."""

PICTURE_BYTES = 16 << 20
"""A larger picture is not shown."""

TEXT_BYTES = 32 << 10
"""Of a text so much is shown."""

FILES = 500
"""Of a folder so many files are shown."""


class Entry(Struct, frozen=True, kw_only=True):
    """Something in a folder: `of` is file, link or folder, `target` where a link leads."""

    path: str
    of: str
    size_bytes: int = 0
    target: str = ""


class OutputPage(Struct, frozen=True, kw_only=True):
    """One output. `path` is the file that is shown, empty where a folder is; `entries` are in it, `n_more` not told.

    `text` is the beginning of a text, of which `more_bytes` follow; `is_picture` where it can be shown as such.
    `is_private`: nothing is shown of texts, since columns of data are private here (`data.private`).
    """

    run: RunId
    step: str
    name: str
    output: Artifact
    path: str = ""
    size_bytes: int = 0
    entries: tuple[Entry, ...] = ()
    n_more: int = 0
    text: str | None = None
    more_bytes: int = 0
    is_picture: bool = False
    is_private: bool = False
    trouble: str = ""


def output_of(asked: Asked) -> Artifact:
    """The output that an address names. Raises NameUnknown."""
    run = run_of(asked)
    step = step_of(run, asked)
    found = step.outputs.get(asked.path["name"])
    if found is None:
        known = ", ".join(step.outputs) or "none"
        raise NameUnknown(
            f"{step.step} of run {run.run} made no {asked.path['name']!r}", at="name", remedy=f"its outputs: {known}"
        )
    return found


def entry_of(asked: Asked, artifact: Artifact) -> TreeFile:
    """The file in a folder that `path` of an address names. Raises NameUnknown."""
    path = asked.query.get("path", "")
    for entry in decode_tree(asked.parts.blobs.get(artifact.digest)).entries:
        if isinstance(entry, TreeFile) and entry.path == path:
            return entry
    raise NameUnknown(
        f"there is no file {path!r} in {artifact.path}", at="path", remedy="see the page of the output for its files"
    )


def suffix(name: str) -> str:
    """What a file's name ends with, in small letters.

    >>> suffix("figures/ROC.PNG")
    '.png'
    """
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def _output(asked: Asked) -> OutputPage:
    artifact = output_of(asked)
    shown = OutputPage(
        run=run_number(asked),
        step=asked.path["step"],
        name=asked.path["name"],
        output=artifact,
        size_bytes=artifact.size_bytes,
    )
    path = asked.query.get("path", "")
    try:
        if artifact.kind == "tree" and not path:
            entries = [_entry(one) for one in decode_tree(asked.parts.blobs.get(artifact.digest)).entries]
            return replace(shown, entries=tuple(entries[:FILES]), n_more=max(len(entries) - FILES, 0))
        if artifact.kind == "tree":
            entry = entry_of(asked, artifact)
            digest, size = entry.digest, entry.size_bytes
        else:
            path, digest, size = artifact.path, artifact.digest, artifact.size_bytes
        is_picture = suffix(path) in PICTURES and size <= PICTURE_BYTES
        # Any text may be a table, and what is read of it here says nothing of columns.
        is_private = bool(asked.site.settings.private) and not is_picture
        text = None if is_picture or is_private else _text(asked.parts.blobs.slice(digest, 0, TEXT_BYTES))
    except BlobMissing as e:
        return replace(shown, trouble=f"{e.problem}: {e.remedy}")
    more = 0 if text is None else max(size - TEXT_BYTES, 0)
    return replace(
        shown, path=path, size_bytes=size, text=text, more_bytes=more, is_picture=is_picture, is_private=is_private
    )


def _entry(entry: TreeFile | TreeLink | TreeFolder) -> Entry:
    match entry:
        case TreeFile():
            return Entry(path=entry.path, of="file", size_bytes=entry.size_bytes)
        case TreeLink():
            return Entry(path=entry.path, of="link", target=entry.target)
        case TreeFolder():
            return Entry(path=entry.path, of="folder")


def _text(data: bytes) -> str | None:
    """The beginning of a text; None where it is none."""
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        # A letter that the end cuts in two is no fault of the text.
        return data[: e.start].decode() if len(data) == TEXT_BYTES and e.start > len(data) - 4 else None


PAGES = (
    Page(
        path="/runs/{run}/steps/{step}/outputs/{name}",
        asks={"path": "a file, where the output is a folder"},
        template="output.html",
        section="/runs",
        gives=OutputPage,
        view=_output,
        title=lambda view: f"{view.name} of {view.step}, run {view.run}",
        command=lambda view: f"headway show {view.run}",
        refresh_s=0,
    ),
)
