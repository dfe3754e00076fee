"""Write what an image of a version's environment is built from into a folder, and have it built there.

`core/image` has the Containerfile, `environment` the packages, `wheel` headway itself. Whichever builder is here is
asked through its command: podman, buildah, docker. Does not know clusters and registries.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from headway import __version__
from headway.core import environment as e
from headway.core import image as i
from headway.core.facts import ModelRegistered
from headway.core.limits import Limits
from headway.core.manifest import MODELS
from headway.core.recording import Recording
from headway.errors import Conflict, ExtraMissing, SystemRefused
from headway.flows import registry, wheel
from headway.flows.commands import find
from headway.flows.environment import Environment, Wanted, environment
from headway.flows.rollout import Delivery
from headway.flows.serve import offered
from headway.ports import Serving

BUILDERS = ("podman", "buildah", "docker")
"""In the order in which they are looked for."""

_LAST_WORDS = 8
"""Lines of a failed build's output that are told."""

_WIDEST = 300


class Laid(Struct, frozen=True, kw_only=True):
    """What was written for an image: where, of which version, what is in it. `at` is when the version was made."""

    version: str
    folder: str
    image: i.Image
    environment: Environment
    at: float

    @property
    def texts(self) -> dict[str, str]:
        """The files that people read, by name."""
        hashed = [one for one in self.environment.pins if one.hashes]
        pinned = [one for one in self.environment.pins if not one.hashes]
        made = {i.FILE: i.containerfile(self.image)}
        made |= {i.HASHED: e.listing(hashed)} if hashed else {}
        return made | ({i.PINNED: e.listing(pinned)} if pinned else {})


class Built(Struct, frozen=True, kw_only=True):
    """An image as its builder tells of it; some know a digest only when it is pushed."""

    tag: str
    builder: str
    id: str
    digest: str = ""


def plan(
    world: Delivery, text: str, wanted: Wanted, *, base: str, holds_model: bool, folder: str
) -> tuple[Laid, Serving]:
    """What an image of this version would be, and how it is served by itself; nothing is written but its files' place.

    Raises as `registry.named`, `models_trust.see` and `environment`.
    """
    model, made = registry.named(world.log, text)
    serving = offered(world, f"{made.model}@{made.version}", Recording(), Limits()).serving
    found = environment(world.blobs, made, serving.path, wanted, folder)
    image = i.Image(
        name=f"{made.model}@{made.version}",
        digest=made.artifact.digest,
        format=made.format,
        base=base or i.base_of(made.place.python, "{}.{}.{}".format(*sys.version_info[:3])),
        headway=__version__,
        wheel=wheel.name(),
        has_hashed=any(one.hashes for one in found.pins),
        has_pinned=any(not one.hashes for one in found.pins),
        holds_model=holds_model,
    )
    at = model.registered_at(made.version)
    return Laid(version=image.name, folder="", image=image, environment=found, at=at), _alone(made, serving)


def _alone(made: ModelRegistered, serving: Serving) -> Serving:
    """The version as the endpoint of its own name."""
    return msgspec.structs.replace(serving, endpoint=made.model)


def write(laid: Laid, serving: Serving, folder: str) -> Laid:
    """Write all that the build reads; the folder must be empty or not there. Raises Conflict, SystemRefused."""
    if os.path.lexists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise Conflict("something is there already", at=folder, remedy="name another folder, or move it away")
    try:
        os.makedirs(folder, exist_ok=True)
        for name, text in laid.texts.items():
            _write(folder, name, text.encode())
        for name in (".containerignore", ".dockerignore"):
            _write(folder, name, i.ignored(laid.image).encode())
        inside = msgspec.structs.replace(
            serving, path=_put(serving.path, folder), onnx=_put(serving.onnx, folder) if serving.onnx else ""
        )
        _write(folder, i.VERSION, msgspec.json.format(msgspec.json.encode(inside), indent=2) + b"\n")
        os.chmod(wheel.write(folder), 0o644)
    except OSError as error:
        problem = f"{folder} cannot be written: {error.strerror}"
        raise SystemRefused(problem, at=folder, remedy="name another folder") from error
    return msgspec.structs.replace(laid, folder=folder)


def _write(folder: str, name: str, data: bytes) -> None:
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o644)


def _put(path: str, folder: str) -> str:
    """Copy a version's file or folder for whoever runs the image to read; where it is there, a folder with `/`."""
    import shutil

    name = os.path.basename(path)
    to = os.path.join(folder, i.FOLDER, name)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    if not os.path.isdir(path):
        shutil.copyfile(path, to)
        os.chmod(to, 0o644)
        return f"{MODELS}/{name}"
    shutil.copytree(path, to, symlinks=True)
    for at, folders, names in os.walk(to):
        for one in (at, *(os.path.join(at, name) for name in (*folders, *names))):
            if not os.path.islink(one):
                os.chmod(one, os.stat(one).st_mode | (0o055 if os.path.isdir(one) else 0o044))
    return f"{MODELS}/{name}/"


# --- building ---------------------------------------------------------------------------------------------------


def builder(asked: str, environ: Mapping[str, str]) -> str:
    """The builder that is used: the one asked for, or the first that is here. Raises ExtraMissing."""
    for name in (asked,) if asked else BUILDERS:
        program = find(name, environ)
        # A client of docker is on many a machine that has no daemon for it.
        if program and (asked or name != "docker" or _out((program, "version", "-f", "{{.Server.Version}}"), environ)):
            return name
    raise ExtraMissing(
        f"{asked} is not here" if asked else f"none of {', '.join(BUILDERS)} is here to build an image",
        at="headway image",
        remedy="install podman (apt-get install podman) or another of them; or write the files with "
        "--dry-run --output FOLDER and build them elsewhere",
    )


def build(  # noqa: PLR0913 (what is built, by whom, and what is handed on to it)
    laid: Laid,
    by: str,
    tag: str,
    *,
    environ: Mapping[str, str],
    pip_conf: str = "",
    options: Sequence[str] = (),
    tell: Callable[[str], None],
) -> Built:
    """Build what was written. `tell` hears the builder's lines; `options` are its own.

    Times in the image are that of the version, so that the same files give the same image where the builder can. Raises
    SystemRefused with the builder's last words.
    """
    at = str(int(laid.at))
    id_file = os.path.join(laid.folder, ".image-id")
    secret = ["--secret", f"id=pip,src={os.path.abspath(pip_conf)}"] if pip_conf else []
    # Layers that are known already are taken; podman and docker do so by themselves.
    dated = {"podman": ["--timestamp", at], "buildah": ["--timestamp", at, "--layers"]}.get(by, [])
    words = [by, "build", "-f", os.path.join(laid.folder, i.FILE), "-t", tag, "--iidfile", id_file]
    argv = [*words, *dated, *secret, *options, laid.folder]
    last = deque[str](maxlen=_LAST_WORDS)
    try:
        with subprocess.Popen(
            argv,
            env={**environ, "SOURCE_DATE_EPOCH": at, "DOCKER_BUILDKIT": "1"} if by == "docker" else dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            for line in _lines(process):
                last.append(line[:_WIDEST])
                tell(line)
        code = process.returncode
        named = _read(id_file) if code == 0 else ""
    except OSError as error:
        raise SystemRefused(
            f"{by} cannot be started: {error.strerror}", at=by, remedy="mend its installation"
        ) from error
    finally:
        with suppress(OSError):
            os.unlink(id_file)
    if code:
        raise SystemRefused(
            f"{by} could not build the image (exit code {code}); its last words:\n    " + "\n    ".join(last),
            at=f"{by} build",
            remedy="mend what it says; the files stay for a look with --output FOLDER",
        )
    return Built(tag=tag, builder=by, id=named, digest=_digest(by, named, environ))


def _lines(process: "subprocess.Popen[str]") -> Iterator[str]:
    assert process.stdout is not None, "a pipe was asked for"
    for line in process.stdout:
        if line.strip():
            yield line.rstrip()


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def _digest(by: str, named: str, environ: Mapping[str, str]) -> str:
    asked = {
        "podman": ("podman", "image", "inspect", "--format", "{{.Digest}}", named),
        "buildah": ("buildah", "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", named),
    }
    return _out(asked[by], environ) if by in asked else ""


def _out(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """What a question to a builder is answered; nothing when it cannot answer."""
    try:
        done = subprocess.run(argv, env=dict(environ), capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
