"""Metrics of rankings within queries: ndcg, mrr, map, hit rate, precision and recall among the first k.

A query is what counts once: its rows are ranked together by `chances` (else by `labels`), and the metric is the mean
over queries. Among rows scored alike those that matter stand last, so that a model which tells nothing apart gains
nothing by it; ndcg takes the mean over their orders, as scikit-learn does. A query in which nothing matters counts 0.
"""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Flags, Places, Rows, Values, numbers
from headway.stats.metrics_estimate import Estimate, Metric
from headway.stats.metrics_losses import mean_loss
from headway.stats.metrics_shares import Hits, share


class Ranked(Struct, frozen=True, kw_only=True, eq=False):
    """The rows of all queries, query by query, best score first.

    `query`: that of each row from 0; `place`: from 0 within its query; `gain`: what it is worth; `score`.
    """

    query: Places
    place: Places
    gain: Values
    score: Values
    n_queries: int

    def add_up(self, values: Values | Flags) -> Values:
        """The values summed by query."""
        return np.asarray(np.bincount(self.query, weights=values, minlength=self.n_queries), dtype=np.float64)


Score = Callable[[Ranked], Values]
"""One number for each query."""


def _queries(rows: Rows, metric: str) -> tuple[Places, int]:
    queries = rows.queries
    if queries is None:
        raise Unmeasurable(
            f"{metric} ranks the rows of a query, and it is not said which rows belong to one",
            at=metric,
            remedy="name the column under `query:`",
        )
    found, codes = rows.once("query codes", lambda: np.unique(queries, return_inverse=True))
    return codes.reshape(-1), len(found)


def _rank(rows: Rows, answers: Answers, metric: str) -> Ranked:
    codes, n_queries = _queries(rows, metric)
    gain = numbers(rows.truth, metric)
    if gain.min() < 0:
        raise Unmeasurable(
            f"{metric} needs what a row is worth as numbers from 0, and the target holds {gain.min():g}",
            at="target",
            remedy="write 0 for what does not matter, and more for what does",
        )
    score = numbers(answers.labels if answers.chances is None else answers.chances, metric)

    def work_out() -> Ranked:
        order = np.lexsort((gain, -score, codes))
        query = codes[order]
        starts = np.searchsorted(query, np.arange(n_queries))
        return Ranked(
            query=query,
            place=np.arange(len(query)) - starts[query],
            gain=gain[order],
            score=score[order],
            n_queries=n_queries,
        )

    return rows.once("ranked", work_out, answers)


def _as_rows(rows: Rows, metric: str) -> Rows:
    """One row for each query, with the unit of its rows; the truth says nothing."""
    codes, n_queries = _queries(rows, metric)
    units = None
    if rows.units is not None:
        _, firsts = np.unique(codes, return_index=True)
        units = rows.units[firsts]
        if (units[codes] != rows.units).any():
            raise Unmeasurable(
                "rows of one query belong to several units, and then neither is independent of the others",
                at="unit",
                remedy="name a unit that holds whole queries, such as the person who asks",
            )
    return Rows(truth=np.zeros(n_queries), units=units, seed=rows.seed)


def _table(rows: Rows, metric: str) -> Rows:
    return rows.once("queries as rows", lambda: _as_rows(rows, metric))


def _scores(rows: Rows, answers: Answers, metric: str, score: Score) -> Values:
    return rows.once(f"scores of {metric}", lambda: score(_rank(rows, answers, metric)), answers)


def _mean_of(metric: str, score: Score) -> Metric:
    """The mean over queries of a score in [0, 1]."""
    inner = mean_loss(lambda _, scored: np.asarray(scored.labels, dtype=np.float64), worst=1.0)

    def scored(rows: Rows, answers: Answers) -> Answers:
        return Answers(labels=_scores(rows, answers, metric, score))

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        return inner.of_two(_table(rows, metric), scored(rows, new), scored(rows, old), level, times)

    return Metric(
        of_one=lambda rows, answers, level: inner.of_one(_table(rows, metric), scored(rows, answers), level),
        of_two=of_two,
    )


# --- scores of a query -------------------------------------------------------------------------------------------


def _reciprocal_rank(ranked: Ranked) -> Values:
    best = np.zeros(ranked.n_queries)
    np.maximum.at(best, ranked.query, (ranked.gain > 0) / (ranked.place + 1.0))
    return best


def _hit_rate(k: float) -> Metric:
    """The share of queries of which one of the first k rows matters."""
    metric = f"hit_rate@{k:g}"

    def hits(rows: Rows, answers: Answers) -> Hits:
        found = _scores(rows, answers, metric, lambda ranked: _n_hits(ranked, k))
        return Hits(rows=_table(rows, metric), right=np.asarray(found > 0, dtype=np.bool_))

    return share(hits)


def _n_hits(ranked: Ranked, k: float) -> Values:
    return ranked.add_up((ranked.gain > 0) & (ranked.place < k))


def _precision(k: float) -> Metric:
    return _mean_of(f"precision@{k:g}", lambda ranked: _n_hits(ranked, k) / k)


def _recall(k: float) -> Metric:
    return _mean_of(f"recall@{k:g}", lambda ranked: _share(_n_hits(ranked, k), _n_hits(ranked, np.inf)))


def _map(k: float) -> Metric:
    """The mean, over the rows that matter, of the precision at each that is among the first k.

    At most k of them can be; so many at most are counted.
    """

    def score(ranked: Ranked) -> Values:
        hit = ranked.gain > 0
        up_to = np.cumsum(hit)
        before: Places = (up_to - hit)[ranked.place == 0]
        precision = (up_to - before[ranked.query]) / (ranked.place + 1.0)
        return _share(ranked.add_up(precision * (hit & (ranked.place < k))), np.minimum(_n_hits(ranked, np.inf), k))

    return _mean_of(f"map@{k:g}", score)


def _ndcg(k: float) -> Metric:
    """What the first k rows are worth, each by 1/log2 of its place + 1, of what the best order would be worth.

    Sources: Jarvelin & Kekalainen (2002), ACM Trans. Inf. Syst. 20, 422-446; ties as McSherry & Najork (2008).
    """

    def score(ranked: Ranked) -> Values:
        discount = np.where(ranked.place < k, 1 / np.log2(ranked.place + 2.0), 0.0)
        is_first = np.concatenate(
            [[True], (ranked.query[1:] != ranked.query[:-1]) | (ranked.score[1:] != ranked.score[:-1])]
        )
        tied = np.cumsum(is_first) - 1
        worth = np.bincount(tied, ranked.gain) * np.bincount(tied, discount) / np.bincount(tied)
        found = np.asarray(np.bincount(ranked.query[is_first], worth, minlength=ranked.n_queries), dtype=np.float64)
        ideal = ranked.gain[np.lexsort((-ranked.gain, ranked.query))]
        return _share(found, ranked.add_up(ideal * discount))

    return _mean_of(f"ndcg@{k:g}", score)


def _share(part: Values, whole: Values) -> Values:
    """Part of whole, and 0 where there is nothing."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0))


METRICS = {"mrr": _mean_of("mrr", _reciprocal_rank)}
FAMILIES = {
    "ndcg": _ndcg,
    "map": _map,
    "hit_rate": _hit_rate,
    "precision": _precision,
    "recall": _recall,
}
