"""The user's own metrics: functions of their files, `metrics.py:profit`, told as theirs where they fail.

Neighbour: `custom` has the user's checks of data. What a function must give is `stats/metrics`' business.
"""

from collections.abc import Callable, Mapping
from functools import wraps

from headway.errors import Unmeasurable
from headway.tables.custom import fault_of, loaded


def own_metrics(named: Mapping[str, str]) -> dict[str, Callable[..., object]]:
    """The function of each metric, by the metric's name; `named` has the paths of the files, `/x/metrics.py:profit`.

    What a function raises comes as Unmeasurable, with the line of the user's file. Raises FileMissing, Unmeasurable
    when there is no such file or function, or the file itself fails.
    """
    return {name: _guarded(function, name) for name, function in named.items()}


def _guarded(function: str, name: str) -> Callable[..., object]:
    at = f"metrics: {name}"
    found, path = loaded(function, at), function.rpartition(":")[0]

    # `wraps` keeps the signature, by which it is told whether the function wants probabilities.
    @wraps(found)
    def guarded(*columns: object) -> object:
        try:
            return found(*columns)
        except Unmeasurable:
            raise
        except (Exception, SystemExit) as e:
            raise fault_of(e, path, at) from e

    return guarded
