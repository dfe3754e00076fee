"""The models of the scenarios, as a folder from which an image of headway gets them: what `make test-cluster` needs.

    python tests/cluster/models.py FOLDER IMAGE     IMAGE holds headway, with the packages of no model
    podman build -t REGISTRY/NAME:TAG FOLDER && podman push REGISTRY/NAME:TAG

Where `store-url` of HEADWAY_KUBERNETES is a bucket, no such image is needed: the suite puts the models there.
"""

import sys
from pathlib import Path

from headway.backends.blobs_file import FileBlobs
from headway.ports import Blobs
from headway.testing.cluster_contract import BROKEN, CRASHES_UNDER_LOAD, good

STORE = "/store"
"""Where the models are in the image."""


def put(blobs: Blobs) -> None:
    """Store all of them but the one that is to be in no store."""
    programs = [scenario.program for how, scenario in BROKEN.items() if how != "model-pull-fails"]
    for program in {*programs, CRASHES_UNDER_LOAD, good(1), good(2)}:
        blobs.put(program.encode())
    blobs.sync()


def write(folder: Path, image: str) -> None:
    """Write what `podman build` needs."""
    folder.mkdir(parents=True, exist_ok=True)
    put(FileBlobs(str(folder / "store")))
    for path in (folder / "store").rglob("*"):
        # The servers are nobody's in particular.
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    (folder / "store").chmod(0o755)
    (folder / "Containerfile").write_text(f"FROM {image}\nCOPY store {STORE}\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
    print(f"now: podman build -t REGISTRY/NAME:TAG {sys.argv[1]}; podman push REGISTRY/NAME:TAG")
