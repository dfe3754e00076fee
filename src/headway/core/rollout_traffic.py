"""How requests go in a stage of a release, and how often one looks. Knows no target."""

from headway.core.routing import Route, Shadow, Sticky, Table
from headway.core.strategy import Stage

SOONEST_S = 1.0
MOST_S = 15.0
MOST_BAKING_S = 60.0
"""So long a look may wait: where a bad version answers clients, and where only labels are waited for."""

PART = 0.02
"""A look waits this part of the time that the stage has taken: what takes a day need not be known to the second."""


def table_of(stage: Stage, *, new: int, old: int) -> Table:
    """Who answers in a shadow or a canary.

    >>> stage = Stage(kind="canary", text="", share=0.1, by="customer_id")
    >>> table_of(stage, new=4, old=3).shares
    {3: 0.9, 4: 0.1}
    >>> table_of(Stage(kind="shadow", text="", share=1.0), new=4, old=3).versions
    (3, 4)
    """
    if stage.kind == "shadow":
        return Table(routes=(Route(version=old, weight=1.0),), shadow=Shadow(version=new, share=stage.share))
    sticky = Sticky(place="field", name=stage.by) if stage.by else None
    # Of a share of 0.1 the rest is not quite 0.9 in floating point; in a table people read it.
    rest = round(1 - stage.share, 9)
    return Table(routes=(Route(version=old, weight=rest), Route(version=new, weight=stage.share)), sticky=sticky)


def until_next_look(stage: Stage, age_s: float) -> float:
    """How long to wait for the next look when a stage has taken so many seconds. It is looked at when it ends, too.

    >>> shadow = Stage(kind="shadow", text="", share=1.0, time_s=3600.0)
    >>> [until_next_look(shadow, age_s) for age_s in (5.0, 200.0, 3000.0, 3598.0)]
    [1.0, 4.0, 15.0, 2.0]
    """
    most = MOST_BAKING_S if stage.kind == "bake" else MOST_S
    wait = min(most, max(SOONEST_S, PART * age_s))
    left = stage.time_s - age_s
    return min(wait, left) if stage.time_s and left > 0 else wait
