"""Facts of a monitor, the standing watch over an endpoint: stream `monitor/<name>`."""

from typing import Literal

from msgspec import Struct

from headway.core.facts.shared import FactBase
from headway.core.ids import Digest

AlarmKind = Literal["schema", "traffic", "drift", "skew", "estimate", "quality"]
"""What an alarm is about: how requests are built, how many come and how they end, what is in them, whether features are
served as they are made offline, the quality that is estimated without labels, or the quality that labels proved."""

Says = Literal["look", "retrain", "roll back"]
"""What an alarm asks for."""


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One number of a window. `of` is what was measured (a column, `requests`), `measure` how (`psi`, `accuracy`).

    `low` and `high` bound what it really is, where chance plays a part; `usual_low` and `usual_high` what is usual;
    `was` is what it was in the reference, or before. `p` is the chance of so much without any change. `is_beyond`: it
    counts towards an alarm about `about`. `slice` names the rows that it is about (`region=north`), if not all.
    """

    of: str
    measure: str
    value: float
    about: AlarmKind = "drift"
    was: float | None = None
    low: float | None = None
    high: float | None = None
    usual_low: float | None = None
    usual_high: float | None = None
    p: float | None = None
    is_beyond: bool = False
    slice: str = ""


class Cause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may lie behind an alarm: a column, how far it moved (population stability index), and what that explains.

    About skew `moved` is the share of rows that differ.
    `explains` is a share (0..1) of the estimated change of quality; None where it cannot be told. `words` say it.
    """

    of: str
    moved: float
    explains: float | None = None
    words: str = ""


class BackTest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the rule of alarms did on the reference itself: so many alarms in so many windows, where `allowed` may be.

    `allowed` is the number that chance may raise in as many windows by the budget.
    """

    n_windows: int
    n_alarms: int
    allowed: float


class MonitorBegan(FactBase, frozen=True, kw_only=True):
    """A version of the endpoint is watched from now on; a new version, or another way to watch, begins anew.

    `reference` is the blob of a `core/reference.Reference`, `layout` the id of what windows are counted on. `window` is
    as it was written. `key` names all that was decided about the watch: as long as it is the same, nothing begins anew.
    `since` is from when on its answers are looked at (UTC seconds). Of `metric` its gate or its reference
    (`promised_by`) showed `promised`, between `promised_low` and `promised_high`. `back_test` is None where the
    reference is too small. `previous` is the version that a rollback would go to, if there is one. `rows` and `blocks`
    are blobs that the reference names.
    """

    monitor: str
    endpoint: str
    model: str
    version: int
    reference: Digest
    layout: str
    window: str
    false_alarms_per_year: float
    key: str = ""
    since: float = 0.0
    metric: str = ""
    promised: float | None = None
    promised_low: float | None = None
    promised_high: float | None = None
    promised_by: Literal["", "gate", "reference"] = ""
    back_test: BackTest | None = None
    previous: int | None = None
    rows: Digest | None = None
    blocks: Digest | None = None


class WindowClosed(FactBase, frozen=True, kw_only=True):
    """A window was judged: what one version answered from `since` to `until` (UTC seconds, without the end).

    `number` counts a monitor's windows from 1, over all versions. `readings` are those worth a headline; all of them
    are in the blob `detail` (`core/watch_detail.Detail`). `n_failed` of `n_requests` were answered by an error.
    `n_unjudged`: rows that came after their window was judged, up to here.
    """

    monitor: str
    number: int
    version: int
    since: float
    until: float
    n_requests: int
    n_rows: int
    n_failed: int = 0
    readings: tuple[Reading, ...] = ()
    detail: Digest | None = None
    n_unjudged: int = 0


class QualitySeen(FactBase, frozen=True, kw_only=True):
    """What late labels prove about a closed window; said again when more labels came, or other ones.

    `value` of `metric` lies between `low` and `high`; `n_labelled` of the window's `n_rows` have a label. `expected` is
    what was promised of it; `detail` is a blob with other metrics, slices and calibration (`core/watch_detail.Proven`).
    `labels` names the labels that were counted.
    """

    monitor: str
    number: int
    metric: str
    value: float
    low: float
    high: float
    n_labelled: int
    n_rows: int
    expected: float | None = None
    is_beyond: bool = False
    detail: Digest | None = None
    labels: str = ""


class AlarmRaised(FactBase, frozen=True, kw_only=True):
    """Something is not as it was: `says` what to do about it, `why` says it to people in at most six lines.

    `alarm` counts a monitor's alarms from 1. Until `AlarmEnded` names it, no second one about the same is raised.
    `since_window` is the first window that showed it, `window` the one that was decided by. `version` is the one that
    answers there. `causes` come with the most likely one first.
    """

    monitor: str
    alarm: int
    about: AlarmKind
    says: Says
    since_window: int
    why: str
    causes: tuple[Cause, ...] = ()
    window: int = 0
    version: int = 0
    endpoint: str = ""
    model: str = ""


class AlarmEnded(FactBase, frozen=True, kw_only=True):
    """An alarm is over: things are as they were again, or another version answers now."""

    monitor: str
    alarm: int
    why: str
