"""The working tree as a run sees it: paths by digest, looked at once while nothing runs that could change them."""

from headway.core.ids import Artifact
from headway.flows.digest import digest_path
from headway.flows.statcache import StatCache


class Workspace:
    """Names files and folders by digest. `stats` remembers digests of unchanged files from run to run.

    Looking at a file takes a system call; in a run of known steps every output is looked at by its maker and by each
    that reads it. While `quiet` (no step at work, nothing restored since) one look is enough.
    """

    __slots__ = ("_seen", "folder", "quiet", "stats")

    def __init__(self, folder: str, stats: StatCache) -> None:
        """The project's folder, absolute."""
        self.folder = folder
        self.stats = stats
        self.quiet = True
        self._seen: dict[str, Artifact] = {}

    def look(self, path: str) -> Artifact:
        """What is at `path`. Raises as `digest_path`: FileMissing when there is nothing."""
        if not self.quiet:
            return digest_path(self.folder, path, self.stats)
        found = self._seen.get(path)
        if found is None:
            found = self._seen[path] = digest_path(self.folder, path, self.stats)
        return found

    def disturbed(self, *, quiet: bool) -> None:
        """Something may have changed files; `quiet` says whether anything still can."""
        self._seen.clear()
        self.quiet = quiet
