"""Which requests of a release tell something: the stage in which each began, and for which version it was drawn.

In a shadow the champion answers and the new version is asked with copies; a canary shares requests; after the promotion
the new version is alone. A pause leaves the traffic as it is. Knows no answer.
"""

from typing import Literal, NamedTuple

from headway.core.prediction_log import Line
from headway.core.routing import key_text
from headway.core.strategy import Strategy
from headway.core.tally_units import span_of

Way = Literal["shadow", "shared", "alone"]
"""Which way requests go: to the champion and as copies to the new version; to either; all to the new version."""

SHADOW: Way = "shadow"

_WAYS: dict[str, Way] = {"shadow": "shadow", "canary": "shared"}


class Drawn(NamedTuple):
    """A request's stage, whether it is the new version's, and whether that was asked with a copy.

    `span` is that of a stage in which customers stick to a version, -1 where none do.
    """

    stage: int
    is_new: bool
    is_copy: bool = False
    span: int = -1


class Traffic:
    """The traffic of one release, stage by stage. Owned by one `core/tally.Tally`."""

    def __init__(self, strategy: Strategy, new: int, old: int) -> None:
        self._new, self._old = new, old
        self.ways: tuple[Way, ...] = tuple(_WAYS.get(stage.kind, "alone") for stage in strategy.stages)
        self.by = tuple(stage.by if stage.kind == "canary" else "" for stage in strategy.stages)
        homes: list[int] = []
        for i, stage in enumerate(strategy.stages):
            homes.append(i if stage.kind != "pause" else homes[-1] if homes else -1)
        self._homes = tuple(homes)
        self._began: list[tuple[float, int]] = []

    def begin(self, stage: int, at: float) -> None:
        """From that time (UTC seconds) on requests are this stage's."""
        self._began.append((at, stage))

    def drawn(self, line: Line) -> Drawn | None:
        """What a line tells of; None: nothing.

        That is one of another version, of another time, or of a version that is asked while the other one is not.
        """
        version = line.instead_of or line.version
        is_new = version == self._new
        if not is_new and version != self._old:
            return None
        # Who answers is drawn when a request begins.
        stage = self._stage(line.at - line.ms / 1000)
        if line.is_shadow:
            # A copy may wait until the next stage has begun.
            stage = next((i for i in range(stage, -1, -1) if self.ways[i] == SHADOW), -1)
            return Drawn(stage, is_new, is_copy=True) if is_new and stage >= 0 else None
        if stage < 0:
            return None
        way = self.ways[stage]
        if way != "shared":
            return Drawn(stage, is_new) if is_new == (way == "alone") else None
        if not self.by[stage]:
            return Drawn(stage, is_new)
        began_at = next((at for at, begun in self._began if begun == stage), line.at)
        return Drawn(stage, is_new, span=span_of(line.at - line.ms / 1000 - began_at))

    def unit(self, stage: int, line: Line) -> str:
        """Whose request it is: the value of the field that requests stick by, or itself where it has none.

        The field is looked for in the first row, as whoever draws the version does.
        """
        key = key_text(line.rows[0].get(self.by[stage])) if line.rows else None
        return line.request_id if key is None else key

    def _stage(self, began_at: float) -> int:
        """The stage of a request that began then, -1 for none; before any stage was begun all are the first one's."""
        if not self._began:
            return self._homes[0]
        for at, stage in reversed(self._began):
            if began_at >= at:
                return self._homes[stage]
        return -1
