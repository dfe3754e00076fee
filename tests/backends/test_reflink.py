"""On a file system that can share blocks between files, a large blob is restored without taking any room.

The file system is a real one: XFS in a file, mounted in a mount namespace of its own, which goes with the process.
"""

import os
import shutil
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from headway.backends.blobs_file import FileBlobs
disk = sys.argv[1]
def free():
    os.sync()
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize
blobs = FileBlobs(os.path.join(disk, "blobs"))
data = os.urandom(60 << 20)
digest = blobs.put(data)
before = free()
path = os.path.join(disk, "restored")
blobs.fetch(digest, path)
assert before - free() < 1 << 20, (before, free())
with open(path, "r+b") as file:
    assert file.read() == data
    file.seek(0)
    file.write(b"changed")
assert blobs.get(digest) == data
"""


def test_a_large_blob_is_restored_by_sharing_its_blocks(tmp_path: "os.PathLike[str]") -> None:
    tools = [shutil.which(name) for name in ("unshare", "mount", "mkfs.xfs")]
    if os.geteuid() != 0 or None in tools:
        pytest.skip(
            "REFLINKS NOT TESTED: this needs root, `unshare`, `mount` and `mkfs.xfs` (apt-get install xfsprogs)"
        )
    image, disk = os.path.join(tmp_path, "image"), os.path.join(tmp_path, "disk")
    os.mkdir(disk)
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    subprocess.run([str(tools[2]), "-q", "-m", "reflink=1", image], check=True)
    mount = [str(tools[0]), "--mount", "/bin/sh", "-c"]
    tried = subprocess.run([*mount, f"{tools[1]} -o loop {image} {disk}"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"REFLINKS NOT TESTED: nothing may be mounted here: {tried.stderr.decode().strip()}")
    line = f'{tools[1]} -o loop "$1" "$2" && shift && exec "$0" -c "$2" "$1"'
    subprocess.run([*mount, line, sys.executable, image, disk, SCRIPT], check=True, timeout=60)
