"""Monitors: all of them, and one with its alarms, what it measured window by window, what moved, and what is behind."""

from msgspec import Struct

from headway.codec.monitor_svg import drawn
from headway.core.facts import Cause
from headway.core.loop import State, look_of
from headway.core.watch_detail import Moved
from headway.core.watch_marks import Map
from headway.core.watch_view import MonitorView, Series
from headway.errors import NameUnknown
from headway.flows import watch_news, watch_view
from headway.flows.loop import watches
from headway.terminal.monitors import COMMANDS, headline
from headway.web import sorting
from headway.web.pages import Asked, Page

WINDOWS = 90
"""Windows that are drawn."""

COLUMNS = 50
"""Columns of the newest window that are listed, those that moved most first."""

MAPPED = 30
"""Windows of the map of columns, the newest."""


class MonitorRow(Struct, frozen=True, kw_only=True):
    """One monitor of the list; `serves` is the version that it watches."""

    name: str
    state: State
    words: str
    endpoint: str
    serves: str
    n_windows: int
    until: float | None = None
    n_alarms: int = 0


class MonitorsPage(Struct, frozen=True, kw_only=True):
    """All monitors that ever watched anything, by name, and those that are only written down.

    `sort` is a name of `SORTS`, with a minus before it for the other way round.
    """

    rows: tuple[MonitorRow, ...]
    written: tuple[str, ...]
    sort: str = ""


class MonitorPage(Struct, frozen=True, kw_only=True):
    """One monitor. `said` is how it stands in a sentence, `commands` what each alarm asks to be typed."""

    view: MonitorView
    state: State
    words: str
    said: str
    commands: dict[str, str]
    moved: tuple[Moved, ...]
    series: tuple[Series, ...]
    causes: tuple[Cause, ...]
    heat: Map


class PicturePage(Struct, frozen=True, kw_only=True):
    """What a monitor measured, as an SVG."""

    title: str
    svg: str


SORTS: dict[str, sorting.By] = {
    "monitor": lambda row: (row.name,),
    "state": lambda row: (row.words,),
    "watches": lambda row: (row.endpoint, row.serves),
    "windows": lambda row: (row.n_windows,),
    # Those that have none yet are older than all.
    "last": lambda row: (row.until or 0.0,),
    "alarms": lambda row: (row.n_alarms,),
}
"""By what monitors are sorted."""


def _monitors(asked: Asked) -> MonitorsPage:
    rows = []
    for name, found in watches(asked.parts.log):
        state, words = look_of(found)
        began = found.began
        rows.append(
            MonitorRow(
                name=name,
                state=state,
                words=words,
                endpoint="" if began is None else began.endpoint,
                serves="" if began is None else f"{began.model}@{began.version}",
                n_windows=found.n_windows,
                until=found.windows[-1].until if found.windows else None,
                n_alarms=len(found.alarms),
            )
        )
    known = {row.name for row in rows}
    written = {name for pipeline in asked.site.pipelines() for name in pipeline.monitors}
    sort = asked.query.get("sort", "").strip()
    return MonitorsPage(rows=sorting.ordered(rows, SORTS, sort), written=tuple(sorted(written - known)), sort=sort)


def _view(asked: Asked) -> MonitorView:
    name = asked.path["monitor"]
    found = watch_view.view(asked.parts.log, asked.parts.blobs, name, now=asked.now, most=WINDOWS)
    if found.began is None:
        raise NameUnknown(
            f"the monitor {name!r} watched nothing yet", at="monitor", remedy="`headway monitor` lists those there are"
        )
    return found


def _monitor(asked: Asked) -> MonitorPage:
    view = _view(asked)
    state, words = look_of(watch_news.read(asked.parts.log, view.monitor))
    moved = () if view.detail is None else sorted(view.detail.moved, key=lambda one: -one.psi)
    return MonitorPage(
        view=view,
        state=state,
        words=words,
        said=headline(view),
        commands={
            says: command.format(monitor=view.monitor, endpoint=view.began.endpoint if view.began else "")
            for says, command in COMMANDS.items()
        },
        moved=tuple(moved[:COLUMNS]),
        series=view.series,
        causes=view.causes,
        heat=watch_view.heat(asked.parts.blobs, view.windows[-MAPPED:]),
    )


def _picture(asked: Asked) -> PicturePage:
    view = _view(asked)
    return PicturePage(title=headline(view), svg=drawn(view))


PAGES = (
    Page(
        path="/monitors",
        asks=sorting.asks(SORTS),
        template="monitors.html",
        section="/monitors",
        gives=MonitorsPage,
        view=_monitors,
        title=lambda _: "Monitors",
        command=lambda _: "headway monitor",
        way="Monitors",
    ),
    Page(
        path="/monitors/{monitor}",
        template="monitor.html",
        section="/monitors",
        gives=MonitorPage,
        view=_monitor,
        title=lambda found: f"Monitor {found.view.monitor}",
        command=lambda found: f"headway monitor {found.view.monitor}",
    ),
    Page(
        path="/monitors/{monitor}/picture",
        template="evidence.svg",
        section="/monitors",
        gives=PicturePage,
        view=_picture,
        title=lambda found: str(found.title),
        command=lambda _: "headway monitor NAME --svg FILE",
        kind="image/svg+xml",
    ),
)
