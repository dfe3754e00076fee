"""The Containerfile of a version's environment: the same values give the same text, always.

What changes seldom comes first: system, packages, headway, and the model last if it is in the image at all. What builds
the environment is not in what is kept of it. The build ends with loading the model, so that an environment that cannot
is never an image. `core/manifest` says how such an image is run; `flows/image` writes the files that are named here.
"""

from msgspec import Struct

from headway.core.ids import Digest
from headway.core.manifest import MODELS, SPEC

FILE = "Containerfile"
HASHED, PINNED = "hashed.txt", "pinned.txt"
FOLDER, VERSION = "models", "version.json"
"""Where the version's files are in the folder, and what says which version they are."""

USER = 10001
"""As the manifests have it: nobody who is known on any machine."""

_HOME = "/opt/headway"
_LISTS = "/tmp/environment"  # noqa: S108 (in a stage of the build, which nobody shares)

_LIBRARIES = {"lightgbm": ("libgomp1",)}
"""What a format's package takes for granted that systems do not have, as Debian calls it."""


class Image(Struct, frozen=True, kw_only=True):
    """What is to be in an image; with `holds_model` it needs no store and serves by itself.

    `wheel` is the name of headway's own file; `has_hashed` and `has_pinned` say which lists of packages there are.
    """

    name: str
    digest: Digest
    format: str
    base: str
    headway: str
    wheel: str
    has_hashed: bool
    has_pinned: bool
    holds_model: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """All that the build reads, folders with `/`."""
        lists = [name for name, has in ((HASHED, self.has_hashed), (PINNED, self.has_pinned)) if has]
        return (FILE, *lists, self.wheel, VERSION, f"{FOLDER}/")


def containerfile(image: Image) -> str:
    """The text of it."""
    lists = [name for name in (HASHED, PINNED) if name in image.files]
    pip = f"{_HOME}/bin/pip install --no-deps --no-compile"
    secret = "RUN --mount=type=secret,id=pip,target=/etc/pip.conf \\\n    "  # noqa: S105 (its place in the build)
    lines = [
        f"# Made by `headway image {image.name}`, headway {image.headway}, of what was installed where it was made.",
        f"FROM {image.base} AS base",
        *_system(image.format),
        "",
        "FROM base AS environment",
        "ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore \\",
        "    PYTHONDONTWRITEBYTECODE=1",
        f"RUN python3 -m venv {_HOME}",
    ]
    if lists:
        lines.append(f"COPY {' '.join(lists)} {_LISTS}/")
    if image.has_hashed:
        lines.append(f"{secret}{pip} --require-hashes -r {_LISTS}/{HASHED}")
    if image.has_pinned:
        lines.append(f"{secret}{pip} -r {_LISTS}/{PINNED}")
    lines += [
        f"COPY {image.wheel} {_LISTS}/",
        f"RUN {pip} --no-index {_LISTS}/{image.wheel}",
        "# Who cannot load the model is no image of it.",
        f"RUN --mount=type=bind,source={FOLDER},target={MODELS} \\",
        f"    --mount=type=bind,source={VERSION},target={SPEC} \\",
        f"    {_HOME}/bin/headway image-check {SPEC}",
        "# Compiled here, since a pod cannot write, and the same each time; some files may not be for this Python.",
        f"RUN {_HOME}/bin/python -m compileall -qq -f -j 0 --invalidation-mode unchecked-hash {_HOME}/lib || true",
        "",
        "FROM base",
        f'LABEL org.opencontainers.image.title="{image.name}" headway.dev/digest="{image.digest}"',
        f"RUN mkdir -p /work && chown {USER}:{USER} /work",
        f"COPY --from=environment {_HOME} {_HOME}",
        f"ENV PATH={_HOME}/bin:$PATH",
    ]
    if image.holds_model:
        lines += [f"COPY {VERSION} {SPEC}", f"COPY {FOLDER} {MODELS}"]
    lines += [
        f"USER {USER}:{USER}",
        "WORKDIR /work",
        "EXPOSE 8080",
        f'CMD ["headway", "pod", "serve", "{SPEC}"]',
    ]
    return "\n".join(lines) + "\n"


def _system(format: str) -> list[str]:  # noqa: A002 (its name)
    libraries = _LIBRARIES.get(format, ())
    if not libraries:
        return []
    return [
        f"RUN apt-get update && apt-get install -y --no-install-recommends {' '.join(libraries)} \\",
        "    && rm -rf /var/lib/apt/lists/*",
    ]


def ignored(image: Image) -> str:
    """The ignore file: nothing but what the build reads, whatever else is put into the folder."""
    return "*\n" + "".join(f"!{name.rstrip('/')}\n" for name in image.files)


def base_of(python: str, own: str) -> str:
    """Python's official image for the interpreter that a run recorded (`3.11.7 /usr/bin/python`), else for `own`.

    >>> base_of("3.11.7 /srv/env/bin/python", "3.12.1"), base_of("3 /usr/bin/python3", "3.12.1")
    ('docker.io/library/python:3.11.7-slim', 'docker.io/library/python:3.12.1-slim')
    """
    version = python.partition(" ")[0]
    is_whole = version.count(".") in (1, 2) and version.replace(".", "").isdecimal()
    return f"docker.io/library/python:{version if is_whole else own}-slim"
