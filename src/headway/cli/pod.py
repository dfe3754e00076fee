"""Fetch or serve the version that a pod is for, or hand out its log; started by its containers, not by people.

Group: hidden

    headway pod fetch /etc/headway/version.json      its files, from the store into the pod
    headway pod serve /etc/headway/version.json      the version, once its files have the digest they must have
    headway pod log /etc/headway/version.json        what was logged, to whoever has the endpoint's key

The file is written by `target: kubernetes` (`core/manifest`); whoever deployed the version has vouched for its digest.
"""

import argparse
import os

from headway import wiring
from headway.config import Settings
from headway.core.ids import Artifact, Digest, is_digest
from headway.core.manifest import COPY_PORT, LOG_KEY, LOG_PORT, PORT
from headway.errors import BlobDamaged, FileFaulty, FileMissing
from headway.ports import Serving

REMEDY = "deploy the version again: the file is made then"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("word", metavar="WORD", choices=("fetch", "serve", "log"), help="fetch, serve or log")
    parser.add_argument("spec", metavar="FILE", help="what the pod is for")
    ports = f"where it serves (default: {PORT}, the log {LOG_PORT}); 0: any free port"
    parser.add_argument("--port", type=int, default=None, help=ports)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do what the word says."""
    serving = _read(args.spec)
    if args.word == "fetch":
        return _fetch(serving, settings)
    if args.word == "log":
        return _hand_out(serving, settings, LOG_PORT if args.port is None else args.port)
    return _serve(serving, settings, PORT if args.port is None else args.port)


def _read(path: str) -> Serving:
    import msgspec

    try:
        with open(path, "rb") as f:
            serving = msgspec.json.decode(f.read(), type=Serving)
    except OSError as e:
        raise FileMissing(f"{path} cannot be read: {e.strerror or e}", at=path, remedy=REMEDY) from e
    except msgspec.DecodeError as e:
        raise FileFaulty(f"{path} says no version: {e}", at=path, remedy=REMEDY) from e
    for named, digest in _files(serving):
        if not is_digest(digest):
            raise FileFaulty(f"{path} says no digest of {named}: {digest!r}", at=path, remedy=REMEDY)
    return serving


def _files(serving: Serving) -> list[tuple[str, Digest]]:
    """Where the version's files are to be, and what they must hold. Folders end in `/`."""
    onnx = [(serving.onnx, serving.onnx_digest)] if serving.onnx else []
    return [(serving.path, serving.digest), *onnx]


def _fetch(serving: Serving, settings: Settings) -> int:
    from headway.flows.store import materialize

    with wiring.open(settings) as parts:
        for path, digest in _files(serving):
            named = path.rstrip("/")
            artifact = Artifact(path=named, digest=digest, kind="tree" if path.endswith("/") else "file")
            materialize(parts.blobs, artifact, named)
            print(f"{named} has the content {digest}", flush=True)
    return 0


def _home(serving: Serving, settings: Settings) -> str:
    """The folder of the endpoint in this pod."""
    return os.path.join(settings.home, "endpoints", serving.endpoint)


def _hand_out(serving: Serving, settings: Settings, port: int) -> int:
    from headway.serving import handout

    folder = os.path.join(_home(serving, settings), "predictions")
    handout.serve(handout.Handout(folder, settings.environ.get(LOG_KEY, "")), port)
    return 0


def _serve(serving: Serving, settings: Settings, port: int) -> int:
    import msgspec

    from headway.flows.digest import digest_path
    from headway.flows.statcache import StatCache
    from headway.serving import foreground
    from headway.serving.load import load

    for path, digest in _files(serving):
        named = path.rstrip("/")
        if not os.path.exists(named):
            remedy = "let the image hold it there, or write `store-url` into headway.toml: kubernetes"
            raise FileMissing(f"there is no {named} in this pod", at=named, remedy=remedy)
        now = digest_path(os.path.dirname(named), os.path.basename(named), StatCache()).digest
        if now != digest:
            raise BlobDamaged(
                f"{named} is not the model that was registered: it has the digest {now}, not {digest}",
                at=f"{serving.model}@{serving.version}",
                remedy="put the registered version's files into the image, or fetch them from the store",
            )
    plain = msgspec.structs.replace(serving, path=serving.path.rstrip("/"), onnx=serving.onnx.rstrip("/"))
    shared = foreground.listen("0.0.0.0", port)  # noqa: S104 (a pod's address is the cluster's to give)
    copies = foreground.listen("0.0.0.0", COPY_PORT if port == PORT else 0)  # noqa: S104 (as above)
    model = load(plain, is_trusted=True)
    folder = _home(serving, settings)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    told = f"serves {serving.model}@{serving.version} on port {shared.getsockname()[1]}"
    told += f"\ntakes copies of requests on port {copies.getsockname()[1]}"
    foreground.serve(plain, model, shared, folder, lambda _: print(told, flush=True), copies=copies)
    return 0
