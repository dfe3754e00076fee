"""What lies in the blobs that a monitor's facts name. Neighbour: `watch_begin` reads the reference."""

import msgspec

from headway.core import facts as f
from headway.core.watch_detail import Detail
from headway.ports import Blobs


def detail_of(blobs: Blobs, window: f.WindowClosed) -> Detail:
    """All that was found of a window. Raises BlobMissing, BlobDamaged."""
    assert window.detail is not None
    return msgspec.msgpack.decode(blobs.get(window.detail), type=Detail)
