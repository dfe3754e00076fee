"""Where the data of a trigger lie: a path of the project, or a place elsewhere that is asked.

`data: {dataset: …}` names a path, a URL, or a dataset; a dataset that was taken from elsewhere (`headway data add URL`)
means that place, any other the path at which it lies. Knows no event.
"""

import os
from collections.abc import Mapping

from headway.core.event_place import Place, is_database, is_far, located, recorded
from headway.core.expression import Scope, fill
from headway.core.grammar import DataTrigger
from headway.core.ids import is_name
from headway.errors import UsageMistaken
from headway.flows import dataset
from headway.ports import Log

_HIDDEN = "***"
"""What stands in a recorded URL where its password was."""

WATERMARK = 'write watermark: "select max(id) from TABLE"'


def place(trigger: DataTrigger, *, folder: str, log: Log, environ: Mapping[str, str]) -> Place:
    """Where to look. Raises UsageMistaken, ExpressionUnreadable."""
    # Passwords are not written into a file that Git keeps.
    named = located(str(fill(trigger.dataset, Scope(env=environ))), folder)
    if is_far(named):
        return Place(url=named, wanted=_wanted(named, "", trigger))
    if is_name(named) and not os.path.lexists(os.path.join(folder, named)):
        newest = dataset.read(log, named).newest
        if newest is not None and newest.source:
            return _recorded(newest.source, trigger)
        if newest is not None:
            return Place(path=newest.artifact.path)
    return Place(path=os.path.normpath(named))


def _wanted(url: str, query: str, trigger: DataTrigger) -> str:
    """What is asked of a place."""
    if trigger.watermark or query:
        return trigger.watermark or query
    if is_database(url):
        raise UsageMistaken(
            "of a database a query must say whether its data changed", at="triggers.data: watermark", remedy=WATERMARK
        )
    return url


def _recorded(source: str, trigger: DataTrigger) -> Place:
    """The place from which a version was taken, as `flows/snapshot` recorded it."""
    url, query = recorded(source)
    if _HIDDEN in url:
        raise UsageMistaken(
            f"the password of {url} was not recorded",
            at="triggers.data: dataset",
            remedy='write the URL instead of the name, with its password from the environment: "${{ env.NAME }}"',
        )
    return Place(url=url, wanted=_wanted(url, query, trigger))
