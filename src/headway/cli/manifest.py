"""Write the Kubernetes manifests of a version: for a GitOps folder, Kustomize, Helm, or to look at.

Group: Production

    headway manifest churn@3 --endpoint churn                          what `target: kubernetes` would apply
    headway manifest churn@3 --endpoint churn --to deploy/             a file each, with a kustomization.yaml
    headway manifest churn@3 --endpoint churn --diff                   what it would change in the cluster
    headway manifest churn@3 --endpoint churn --own deployment.yaml    your own file: image, version and labels

Nothing is applied. Only --diff asks the cluster. Of a version that no gate let pass, a note on stderr says so.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.errors import FileMissing, UsageMistaken

if TYPE_CHECKING:
    from headway.core.manifest import Manifest
    from headway.core.manifest_diff import Difference
    from headway.ports import Serving


@runtime_checkable
class _Written(Protocol):
    """A target whose versions are manifests."""

    @property
    def image(self) -> str: ...

    def manifests(self, serving: "Serving") -> "list[Manifest]": ...

    def diff(self, serving: "Serving") -> "list[Difference]": ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("model", metavar="MODEL", help="name@version or name@alias")
    parser.add_argument("--endpoint", required=True, metavar="NAME", help="where it shall serve")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--to", default="", metavar="FOLDER", help="write a file for each object there")
    how.add_argument("--own", default="", metavar="FILE", help="change image, version and labels of this Deployment")
    how.add_argument("--diff", action="store_true", help="say what applying would change")
    parser.add_argument("--target", default="kubernetes", metavar="TARGET", help="default: kubernetes")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Write them."""
    from headway.core.ids import is_name, parse_model_ref
    from headway.core.limits import Limits
    from headway.core.recording import Recording
    from headway.flows.serve import offered
    from headway.flows.vetting import unproven

    if not is_name(args.endpoint):
        problem = f"{args.endpoint!r} cannot be an endpoint's name"
        raise UsageMistaken(problem, at="--endpoint", remedy="use letters, digits and -_.")
    ref = str(parse_model_ref(args.model))
    with wiring.open(settings) as parts:
        target = parts.target(args.target)
        if not isinstance(target, _Written):
            problem = f"versions at {args.target} are no manifests"
            raise UsageMistaken(problem, at="--target", remedy="leave it away, or name kubernetes")
        import msgspec

        world = parts.delivery()
        offer = offered(world, ref, Recording(), Limits())
        serving = msgspec.structs.replace(offer.serving, endpoint=args.endpoint)
        if why := unproven(world, serving.model, serving.version):
            # What is applied by others than headway is released by them, too.
            note = f"note: {serving.model}@{serving.version} would not be released by headway: {why}"
            print(note, file=sys.stderr)
        if args.diff:
            return _tell(target.diff(serving), as_json=args.json)
        if args.own:
            print(_own(args.own, serving, target.image), end="")
            return 0
        return _write(target.manifests(serving), args)


def _tell(found: "Sequence[Difference]", *, as_json: bool) -> int:
    if as_json:
        print_json(found)
    else:
        print("\n".join(map(str, found)) or "nothing would change")
    return 0


def _own(path: str, serving: "Serving", image: str) -> str:
    from headway.codec.manifests import decoded
    from headway.codec.manifests_own import patched
    from headway.core.manifest import labels
    from headway.core.manifest_names import MODEL, label_value

    try:
        with open(path, "rb") as f:
            data = f.read()
    except OSError as e:
        raise FileMissing(f"{path} cannot be read: {e.strerror or e}", at="--own", remedy="name your Deployment") from e
    told = {MODEL: label_value(serving.model), **labels(serving.endpoint, serving.version)}
    return patched(decoded(data, path), path, image=image, version=f"{serving.model}@{serving.version}", labels=told)


def _write(manifests: "list[Manifest]", args: argparse.Namespace) -> int:
    from headway.codec.manifests import text

    if args.json:
        print_json(manifests)
        return 0
    if not args.to:
        print(text(manifests), end="")
        return 0
    os.makedirs(args.to, exist_ok=True)
    names = [f"{one['metadata']['name']}-{one['kind'].lower()}.yaml" for one in manifests]
    files = dict(zip(names, ([one] for one in manifests), strict=True))
    files["kustomization.yaml"] = [
        {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": names}
    ]
    for name, documents in files.items():
        with open(os.path.join(args.to, name), "w", encoding="utf-8") as f:
            f.write(text(documents))
    print(f"wrote {len(files)} files to {args.to}")
    return 0
