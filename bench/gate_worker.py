"""One tool's gate: `gate_worker.py TOOL FILE` reads a Parquet of two models' answers, prints a line of JSON.

`make N_ROWS` writes answers.parquet here instead. The line holds `seconds` of processor that the checks took, reading
and imports apart, and `values`: of each check the estimate, of each check for each region those by region. `headway`
judges as the step `gate` does, from the answers on. `scipy` is what one would write by hand: a loop over checks and
regions, with NumPy and SciPy's tests, which know no margin.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    # Any: numbers and flags.
    Column = npt.NDArray[Any]

#: Of all rows, and for each of 50 regions: 20 checks.
WHOLE = ("accuracy", "recall", "specificity", "precision", "f1", "auc", "log_loss", "brier")
EACH = ("accuracy", "recall", "specificity", "precision", "f1", "auc", "log_loss", "brier")
LOSSES = frozenset({"log_loss", "brier"})
N_REGIONS = 50


def checks() -> list[str]:
    """Eight differences on all rows, eight for each region, two ratios, a disagreement and a gap: 20."""

    def rule(metric: str, reach: float) -> str:
        sign, limit = ("<", reach) if metric in LOSSES else (">", -reach)
        return f"new.{metric} - old.{metric} {sign} {limit}"

    return [
        *(rule(metric, 0.01) for metric in WHOLE),
        *(f"{rule(metric, 0.05)} for each region" for metric in EACH),
        "new.brier / old.brier < 1.05",
        "new.accuracy / old.accuracy within 0.05",
        "disagreement(new, old) < 0.3",
        "gap(new.recall by sex) < 0.05",
    ]


def make(n_rows: int) -> None:
    """So many rows of a holdout, and what two models that are about as good answered."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(20130104)
    signal = rng.standard_normal(n_rows)
    columns: dict[str, object] = {"target": (signal + rng.standard_normal(n_rows) > 0).astype(np.int64)}
    for name, noise in (("new", 0.30), ("old", 0.31)):
        chance = 1 / (1 + np.exp(-1.5 * (signal + noise * rng.standard_normal(n_rows))))
        columns[f"{name}_chance"], columns[name] = chance, (chance > 0.5).astype(np.int64)
    regions = pl.Series([f"region-{at:02}" for at in range(N_REGIONS)])
    columns["region"] = regions.gather(rng.integers(0, N_REGIONS, n_rows))
    columns["sex"] = pl.Series(["f", "m"]).gather(rng.integers(0, 2, n_rows))
    pl.DataFrame(columns).write_parquet("answers.parquet")


# Any: what a tool says of each check.
def headway(path: str) -> dict[str, Any]:
    """What a gate measures, and how long it took from the answers to the verdict."""
    import polars as pl

    from headway.core.check_grammar import parse_checks
    from headway.core.gate_evidence import decide
    from headway.stats import metrics, timing  # noqa: F401 - what is imported is not what is measured
    from headway.stats.answers import Answers
    from headway.tables import gate_inputs

    table, asked = pl.read_parquet(path), parse_checks(checks())
    new, old = (
        Answers(labels=table[name].to_numpy(), chances=table[f"{name}_chance"].to_numpy()) for name in ("new", "old")
    )
    truth = table["target"].to_numpy()
    begin = time.process_time()
    rows = gate_inputs.rows_of(table, truth, gate_inputs.Layout(), seed=1)
    verdict = decide(asked, gate_inputs.gather(table, rows, new, old, asked), 1 - 0.05 / 32)
    seconds = time.process_time() - begin
    values: dict[str, Any] = {}
    for one in verdict.checks:
        if one.evidence is not None:
            values[one.check.text] = one.evidence.estimate
        else:
            found = {part.name.removeprefix("region="): part.evidence for part in one.slices}
            values[one.check.text] = {name: part.estimate for name, part in found.items() if part is not None}
    return {"seconds": seconds, "outcome": verdict.outcome, "values": values}


def by_hand(path: str) -> dict[str, Any]:
    """The same numbers by a loop, each region's rows picked out by a mask; McNemar or a paired t test with each."""
    import numpy as np
    import polars as pl
    from scipy import stats

    table = pl.read_parquet(path)
    columns = {name: table[name].to_numpy() for name in ("target", "new", "old", "new_chance", "old_chance")}
    regions, sexes = (np.array(table[name].to_list()) for name in ("region", "sex"))
    begin = time.process_time()

    def difference(metric: str, rows: dict[str, Any]) -> float:
        new, old = (_value(metric, rows["target"], rows[name], rows[f"{name}_chance"]) for name in ("new", "old"))
        if metric in LOSSES:
            ours, theirs = (_losses(metric, rows["target"], rows[f"{name}_chance"]) for name in ("new", "old"))
            stats.ttest_rel(ours, theirs)
        else:
            right, was = rows["new"] == rows["target"], rows["old"] == rows["target"]
            gained, lost = int((right & ~was).sum()), int((was & ~right).sum())
            stats.binomtest(gained, gained + lost)
        return new - old

    values: dict[str, Any] = {}
    for text in checks():
        metric = text.partition("new.")[2].split(" ")[0]
        if text.endswith("for each region"):
            values[text] = {
                str(region): difference(metric, {name: column[regions == region] for name, column in columns.items()})
                for region in np.unique(regions)
            }
        elif text.startswith("new.") and " - " in text:
            values[text] = difference(metric, columns)
        elif text.startswith("new."):
            new, old = (
                _value(metric, columns["target"], columns[name], columns[f"{name}_chance"]) for name in ("new", "old")
            )
            values[text] = new / old
        elif text.startswith("disagreement"):
            values[text] = float((columns["new"] != columns["old"]).mean())
        else:
            found = [
                _value("recall", columns["target"][sexes == sex], columns["new"][sexes == sex], None)
                for sex in np.unique(sexes)
            ]
            values[text] = max(found) - min(found)
    return {"seconds": time.process_time() - begin, "values": values}


def _losses(metric: str, truth: Column, chance: Column) -> Column:
    import numpy as np

    if metric == "brier":
        return (chance - truth) ** 2
    held = np.clip(chance, np.finfo(float).eps, 1 - np.finfo(float).eps)
    return -np.log(np.where(truth == 1, held, 1 - held))


def _value(metric: str, truth: Column, labels: Column, chance: Column | None) -> float:
    from scipy import stats

    if chance is not None and metric in LOSSES:
        return float(_losses(metric, truth, chance).mean())
    if chance is not None and metric == "auc":
        ranks, n_positive = stats.rankdata(chance), int((truth == 1).sum())
        above = ranks[truth == 1].sum() - n_positive * (n_positive + 1) / 2
        return float(above / (n_positive * (len(truth) - n_positive)))
    hits, called, positive = (
        int(((labels == 1) & (truth == 1)).sum()),
        int((labels == 1).sum()),
        int((truth == 1).sum()),
    )
    of: dict[str, Callable[[], float]] = {
        "accuracy": lambda: float((labels == truth).mean()),
        "recall": lambda: hits / positive,
        "specificity": lambda: int(((labels == 0) & (truth == 0)).sum()) / (len(truth) - positive),
        "precision": lambda: hits / called,
        "f1": lambda: 2 * hits / (called + positive),
    }
    return of[metric]()


def main() -> None:
    task, *words = sys.argv[1:]
    if task == "make":
        make(int(words[0]))
        return
    said = {"headway": headway, "scipy": by_hand}[task](*words)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
