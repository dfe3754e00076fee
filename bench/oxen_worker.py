"""Runs in Oxen's own environment, for PyPI ships its Python binding only: `oxen_worker.py TASK [PATH [NOTE]]`.

Tasks: `init`, `keep` (add and commit), `status` (prints the changed files as a JSON list), `restore`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from oxen import Repo, user  # type: ignore[import-not-found] # it lies in an environment of its own


def main(task: str, path: str = ".", note: str = "") -> None:
    if task == "init":
        user.config_user("bench", "bench@example.org")
        Repo(str(Path.cwd())).init()
        return
    repo = Repo(str(Path.cwd()))
    match task:
        case "keep":
            repo.add(path)
            repo.commit(note)
        case "status":
            found = repo.status()
            print(json.dumps(sorted({*found.modified_files(), *found.unstaged_modified_files()})))
        case "restore":
            repo.restore(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
