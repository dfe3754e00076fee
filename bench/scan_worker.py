"""What a look at a folder costs in Python at the least: `scan_worker.py PATH` lists it and asks for each file's stat.

Prints nothing that depends on content: that a file changed cannot be known without what was there before.
"""

from __future__ import annotations

import os
import sys


def main(folder: str) -> None:
    n_files = 0
    todo = [folder]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    n_files += 1
    print(n_files)


if __name__ == "__main__":
    main(*sys.argv[1:])
