"""The hashes of packages' files, as lock files of other tools have them: uv, pylock, Poetry, pip's requirements.

Only what is said of one version of a package is taken. Does not know indexes: nothing is asked.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from headway.codec.human import decoded
from headway.core.environment import plain
from headway.errors import FileFaulty

FILES = ("uv.lock", "pylock.toml", "poetry.lock", "requirements.lock", "requirements.txt")
"""Where hashes are looked for in a project."""

Hashes = dict[tuple[str, str], tuple[str, ...]]
"""By plain name and version: `sha256:…`."""

_PINNED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)")
_HASH = re.compile(r"--hash[= ]([a-z0-9]+:[0-9a-f]+)")


def read(data: bytes, name: str) -> Hashes:
    """What a lock file says. Raises FileFaulty when it cannot be read as what its name says it is."""
    text = decoded(data, name)
    if not name.endswith((".toml", "uv.lock", "poetry.lock")):
        return _requirements(text)
    try:
        # Any: another tool's file.
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise FileFaulty(f"it is no TOML: {e}", at=name, remedy="let its tool write it again") from e
    found: Hashes = {}
    for one in [*_tables(values.get("package")), *_tables(values.get("packages"))]:
        hashes = tuple(sorted(set(_of(one))))
        if hashes and isinstance(one.get("name"), str) and isinstance(one.get("version"), str):
            found[plain(one["name"]), one["version"]] = hashes
    return found


def _requirements(text: str) -> Hashes:
    found: Hashes = {}
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        pinned, hashes = _PINNED.match(line), tuple(sorted(set(_HASH.findall(line))))
        if pinned is not None and hashes:
            found[plain(pinned[1]), pinned[2]] = hashes
    return found


# Any: as above.
def _tables(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (as above)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


# Any: as above.
def _of(package: Mapping[str, Any]) -> Iterable[str]:
    """`hash` of uv and Poetry, `hashes` of pylock; of all files of a package, whichever a machine will take."""
    sdist = package.get("sdist")
    files = [*_tables(package.get("wheels")), *_tables(package.get("files")), sdist if isinstance(sdist, dict) else {}]
    for file in files:
        if isinstance(file.get("hash"), str):
            yield file["hash"]
        hashes = file.get("hashes")
        if isinstance(hashes, dict) and isinstance(hashes.get("sha256"), str):
            yield f"sha256:{hashes['sha256']}"
