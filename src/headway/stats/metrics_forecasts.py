"""Metrics of probabilistic forecasts, given as quantiles: pinball loss, CRPS, coverage of central intervals."""

from itertools import pairwise

import numpy as np

from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Rows, Values, numbers
from headway.stats.metrics_estimate import Metric
from headway.stats.metrics_losses import mean_loss
from headway.stats.metrics_shares import Hits, share

LEAST_QUANTILES = 3
"""With fewer a CRPS says little of the distribution between them."""


def _quantile(answers: Answers, level: float, metric: str) -> Values:
    quantiles = answers.quantiles or {}
    for known, values in quantiles.items():
        # 1 - 0.9 is not quite 0.1.
        if abs(known - level) < 1e-9:
            return values
    given = ", ".join(f"{known:g}" for known in sorted(quantiles)) or "none"
    raise Unmeasurable(
        f"{metric} needs the forecast quantile {level:g}, and the model gives {given}",
        at=metric,
        remedy=f"let it forecast that quantile, in a column quantile_{level:g}",
    )


def _pinball_losses(truth: Values, forecast: Values, level: float) -> Values:
    above = truth - forecast
    return np.asarray(np.maximum(level * above, (level - 1) * above))


def pinball(level: float) -> Metric:
    """The pinball loss of the quantile `level`.

    Source: Koenker & Bassett (1978), Econometrica 46, 33-50.
    """
    name = f"pinball@{level:g}"

    def losses(rows: Rows, answers: Answers) -> Values:
        return _pinball_losses(numbers(rows.truth, name), _quantile(answers, level, name), level)

    return mean_loss(losses, worst=None)


def coverage(level: float) -> Metric:
    """The share of rows whose truth lies within the central interval of `level`, its ends counted in."""
    name = f"coverage@{level:g}"

    def hits(rows: Rows, answers: Answers) -> Hits:
        truth = numbers(rows.truth, name)
        low, high = (_quantile(answers, (1 + way * level) / 2, name) for way in (-1, 1))
        return Hits(rows=rows, right=np.asarray((low <= truth) & (truth <= high), dtype=np.bool_))

    return share(hits)


def _crps_losses(rows: Rows, answers: Answers) -> Values:
    """Twice the pinball loss averaged over the levels, each standing for what is nearest to it.

    The continuous ranked probability score is the integral of twice the pinball loss over all levels, which is known
    as far as quantiles are given. Source: Laio & Tamea (2007), Hydrol. Earth Syst. Sci. 11, 1267-1277.
    """
    quantiles = answers.quantiles or {}
    if len(quantiles) < LEAST_QUANTILES:
        raise Unmeasurable(
            f"crps needs at least {LEAST_QUANTILES} forecast quantiles, and the model gives {len(quantiles)}",
            at="crps",
            remedy="let it forecast more, in columns such as quantile_0.1; or gate on pinball@0.5",
        )
    truth = numbers(rows.truth, "crps")
    levels = sorted(quantiles)
    edges = [0.0, *((low + high) / 2 for low, high in pairwise(levels)), 1.0]
    total = np.zeros(len(truth))
    for level, width in zip(levels, np.diff(edges), strict=True):
        total += 2 * width * _pinball_losses(truth, quantiles[level], level)
    return total


METRICS = {"crps": mean_loss(_crps_losses, worst=None)}
FAMILIES = {"pinball": pinball, "coverage": coverage}
