"""Build an image that serves a version: its locked environment, headway, and with --with-model the model itself.

Group: Production

    headway image churn@3                              by podman, buildah or docker, as churn:3
    headway image churn@3 --with-model --tag churn:eu  the model is in it: it needs no store, and serves by itself
    headway image churn@3 --dry-run                    only show the Containerfile and the packages
    headway image churn@3 --output image/ --dry-run    write the files, for another machine to build

Exit codes: 0 built, 1 the builder could not, 2 nothing here builds images, or a package has no version.
"""

import argparse
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.errors import FileMissing, UsageMistaken

if TYPE_CHECKING:
    from headway.flows.image import Built, Laid


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("model", metavar="MODEL", help="name@version or name@alias")
    parser.add_argument("--tag", default="", metavar="NAME", help="the image's name (default: NAME:VERSION)")
    parser.add_argument("--base", default="", metavar="IMAGE", help="what it is made on (default: python:VERSION-slim)")
    parser.add_argument("--with-model", action="store_true", help="put the model in; else pods fetch it from the store")
    parser.add_argument("--builder", choices=("podman", "buildah", "docker"), help="default: the first that is here")
    parser.add_argument("--output", default="", metavar="FOLDER", help="keep what is built from there")
    parser.add_argument("--dry-run", action="store_true", help="build nothing")
    parser.add_argument("--lock", default="", metavar="FILE", help="where packages' hashes are (default: uv.lock, …)")
    parser.add_argument("--all-packages", action="store_true", help="all that was installed, not what the model needs")
    parser.add_argument(
        "--add", action="append", default=[], metavar="PACKAGE", help="another one that it needs, or PACKAGE==VERSION"
    )
    parser.add_argument(
        "--extra", action="append", default=[], metavar="NAME", help="of headway's extras: grpc, otel, remote"
    )
    parser.add_argument("--pip-conf", default="", metavar="FILE", help="pip's settings for the build; not in the image")
    parser.add_argument(
        "--build-option", action="append", default=[], metavar="TEXT", help="one of the builder's own: --network=host"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Write its files, and build it."""
    import tempfile

    from headway.core.manifest_names import endpoint_name, image_faults
    from headway.flows import image
    from headway.flows.environment import Wanted

    for word in ("tag", "base"):
        for fault in image_faults(getattr(args, word) or "x"):
            raise UsageMistaken(fault.problem, at=f"--{word}", remedy=fault.remedy)
    pip_conf = os.path.join(args.folder or "", args.pip_conf) if args.pip_conf else ""
    if pip_conf and not os.path.isfile(pip_conf):
        raise FileMissing(f"there is no file {args.pip_conf}", at="--pip-conf", remedy="name pip's file of settings")
    by = "" if args.dry_run else image.builder(args.builder or "", settings.environ)
    wanted = Wanted(add=tuple(args.add), extras=_extras(args, settings), lock=args.lock, is_whole=args.all_packages)
    with wiring.open(settings) as parts:
        laid, serving = image.plan(
            parts.delivery(), args.model, wanted, base=args.base, holds_model=args.with_model, folder=settings.folder
        )
    output = os.path.join(args.folder or "", args.output) if args.output else ""
    if args.dry_run and not output:
        return _show(laid, as_json=args.json)
    with nullcontext(output) if output else tempfile.TemporaryDirectory(prefix="headway-image-") as folder:
        laid = image.write(laid, serving, folder)
        built = None
        if by:
            name, _, version = laid.version.partition("@")
            built = image.build(
                laid,
                by,
                args.tag or f"{endpoint_name(name)}:{version}",
                environ=settings.environ,
                pip_conf=pip_conf,
                options=args.build_option,
                tell=lambda line: None if args.json else print(line, file=sys.stderr, flush=True),
            )
    _tell(laid, built, output, as_json=args.json)
    return 0


def _extras(args: argparse.Namespace, settings: Settings) -> tuple[str, ...]:
    """Those that were asked for, and what a pod that fetches the model speaks to the store with."""
    import msgspec

    # What is wrong with it is told by who asks the cluster.
    told = msgspec.json.decode(settings.target_environ["HEADWAY_KUBERNETES"] or "{}")
    fetches = not args.with_model and isinstance(told, dict) and bool(told.get("store-url"))
    return (*args.extra, *(("remote",) if fetches else ()))


def _show(laid: "Laid", *, as_json: bool) -> int:
    if as_json:
        print_json({**_document(laid), "texts": laid.texts})
        return 0
    for note in laid.environment.notes:
        print(f"note: {note}", file=sys.stderr)
    for name, text in laid.texts.items():
        print(f"# --- {name}\n{text}")
    return 0


def _document(laid: "Laid") -> dict[str, object]:
    return {
        "version": laid.version,
        "base": laid.image.base,
        "packages": [str(one) for one in laid.environment.pins],
        "hashed": sum(bool(one.hashes) for one in laid.environment.pins),
        "holds_model": laid.image.holds_model,
        "notes": laid.environment.notes,
    }


def _tell(laid: "Laid", built: "Built | None", output: str, *, as_json: bool) -> None:
    if as_json:
        told = (
            {}
            if built is None
            else {"tag": built.tag, "builder": built.builder, "id": built.id, "digest": built.digest}
        )
        files = [".containerignore", ".dockerignore", *laid.image.files] if output else []
        print_json({**_document(laid), **told, "folder": output, "files": files})
        return
    for note in laid.environment.notes:
        print(f"note: {note}", file=sys.stderr)
    pins = laid.environment.pins
    what = f"{len(pins)} packages, {sum(bool(one.hashes) for one in pins)} of them held to hashes, on {laid.image.base}"
    if built is None:
        print(f"wrote {output} for {laid.version}: {what}\n  next: podman build -t NAME {output}")
        return
    print(f"{built.builder} built {built.tag} for {laid.version}: {what}\n  image {built.id}")
    print(f'  next: push it, and write image = "{built.tag}" below [kubernetes] in headway.toml')
