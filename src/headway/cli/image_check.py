"""Load the version that an image is for, and ask it a row, so that an image lacking a package is never made.

Group: hidden

    headway image-check /etc/headway/version.json

Run by the build of `headway image`. A refusal of the made-up row is the model's right; a missing package is not.
"""

import argparse
import os

from headway.config import Settings
from headway.errors import BlobDamaged, FileFaulty, ModelUnreadable
from headway.ports import Serving


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("spec", metavar="FILE", help="what the image is for")


def run(args: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001 (what every command is given)
    """Load it."""
    import msgspec

    from headway.serving.load import load
    from headway.serving.pages import example_row

    try:
        with open(args.spec, "rb") as file:
            spec = msgspec.json.decode(file.read(), type=Serving)
    except (OSError, msgspec.DecodeError) as e:
        raise FileFaulty(f"{args.spec} says no version: {e}", at=args.spec, remedy="run `headway image` again") from e
    path, onnx = spec.path.rstrip("/"), spec.onnx.rstrip("/")
    _hold_to_its_digest(path, spec)
    model = load(msgspec.structs.replace(spec, path=path, onnx=onnx), is_trusted=True)
    try:
        model.predict([example_row(model.signature)])
    except Exception as e:  # a model may answer a made-up row with anything
        missing = _missing(e)
        if missing:
            raise ModelUnreadable(
                f"the model imports {missing} to answer, and no package of the image holds it",
                at=f"{spec.model}@{spec.version}",
                remedy=f"name its package: headway image {spec.model}@{spec.version} --add PACKAGE",
            ) from e
    print(f"{spec.model}@{spec.version} loads ({model.format})")
    return 0


def _hold_to_its_digest(path: str, spec: Serving) -> None:
    from headway.flows.digest import digest_path
    from headway.flows.statcache import StatCache

    now = digest_path(os.path.dirname(path), os.path.basename(path), StatCache()).digest
    if now != spec.digest:
        raise BlobDamaged(
            f"{path} has the digest {now}, not {spec.digest}",
            at=f"{spec.model}@{spec.version}",
            remedy="run `headway image` again: the files beside the Containerfile were changed",
        )


def _missing(error: BaseException | None) -> str:
    """The module that could not be imported, if that is at the bottom of an error."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            return error.name or str(error)
        error = error.__cause__ or error.__context__
    return ""
