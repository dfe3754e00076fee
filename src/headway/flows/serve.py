"""What `headway serve` puts up: a registered version or a model's file, as `serving` wants it, with nothing recorded.

Neighbour: `release` puts a version on an endpoint, by a recorded act. Does not know ports and processes.
"""

import os
import re

from msgspec import Struct

from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.flows import models_trust, registry
from headway.flows.digest import digest_path
from headway.flows.quicker import as_served
from headway.flows.rollout import Delivery, laid_out
from headway.flows.statcache import StatCache
from headway.ports import Serving


class Offer(Struct, frozen=True, kw_only=True):
    """What is to be served; `is_trusted`: this project made it or holds it, so that it may run code."""

    serving: Serving
    is_trusted: bool


def offered(world: Delivery, what: str, recording: Recording, limits: Limits) -> Offer:
    """The version that `churn@3` or `churn@champion` names, or the model in a file or folder.

    It serves as the endpoint `serve-churn`, so that its log is apart from that of any released endpoint. Raises
    UsageMistaken, NameUnknown, BlobMissing, and as `models_trust.see`; FileMissing and ModelUnreadable for a file.
    """
    if os.path.exists(what) or "@" not in what:
        return _file(world, what, recording, limits)
    _, version = registry.named(world.log, what)
    models_trust.see(world.log, world.blobs, version, world.trust)
    serving = Serving(
        endpoint=f"serve-{version.model}",
        model=version.model,
        version=version.version,
        path=laid_out(world.blobs, world.models, version),
        format=version.format,
        digest=version.artifact.digest,
        recording=recording,
        limits=limits,
    )
    serving = as_served(serving, world.log, world.blobs, world.models, version, world.trust)
    return Offer(serving=serving, is_trusted=True)


def _file(world: Delivery, path: str, recording: Recording, limits: Limits) -> Offer:
    from headway import formats

    path = os.path.abspath(path)
    kind = formats.detect(path)
    digest = digest_path(os.path.dirname(path), os.path.basename(path), StatCache()).digest
    # A model's name has no other letters (`core.ids.is_name`).
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", os.path.basename(path).split(".")[0]).lstrip("-.") or "model"
    serving = Serving(
        endpoint=f"serve-{name}",
        model=name,
        version=0,
        path=path,
        format=kind,
        digest=digest,
        recording=recording,
        limits=limits,
    )
    return Offer(serving=serving, is_trusted=registry.made_here(world.log, digest))
