"""What the prediction log of an endpoint tells a plan, and which step's strategy is meant."""

from pathlib import Path

import msgspec
import pytest

from headway.core.pipeline import Pipeline, StepSpec
from headway.core.prediction_log import Line, open_name
from headway.core.rollout_basis import Logged
from headway.errors import NameUnknown, UsageMistaken
from headway.flows.predictions import folder_of
from headway.flows.rollout_plan import DAY_S, deploy_step, logged, strategy_of
from headway.tables import prediction_log

NOW = 1_800_000_000.0


def line(n: int, at: float, *, version: int = 1, status: int = 200, ms: float = 5.0, instead_of: int = 0) -> Line:
    answered = status == 200
    rows = [{"x": 1}, {"x": 2}] if n % 2 else [{"x": 1}]
    return Line(
        request_id=f"r{n}",
        at=at,
        ms=ms,
        model="churn",
        version=version,
        rows=rows,
        predictions=[0] * len(rows) if answered else [],
        status=status,
        instead_of=instead_of,
    )


def write(home: Path, lines: list[Line], *, token: str = "a1", sealed: bool = False) -> None:
    folder = Path(folder_of(str(home), "churn"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / open_name("predictions", token)
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in lines))
    if sealed:
        assert prediction_log.seal(str(path)) is not None


def found(home: Path, *, version: int | None = 1, slower_than_s: float = 0.0) -> Logged | None:
    return logged(str(home), "churn", version=version, slower_than_s=slower_than_s, now=NOW)


@pytest.mark.parametrize("sealed", [False, True])
def test_requests_are_counted_and_not_their_rows(tmp_path: Path, sealed: bool) -> None:
    lines = [line(n, NOW - 600 + n) for n in range(300)]
    lines += [line(300 + n, NOW - 300 + n, status=500) for n in range(6)]
    lines += [line(306 + n, NOW - 290 + n, ms=250.0) for n in range(4)]
    write(tmp_path, lines, sealed=sealed)
    told = found(tmp_path, slower_than_s=0.2)
    assert told == Logged(endpoint="churn", n_requests=310, n_of_version=310, seconds=313.0, n_failed=6, n_slow=4)
    assert found(tmp_path) == msgspec.structs.replace(told, n_slow=None)


def test_shares_are_those_of_the_version_that_serves(tmp_path: Path) -> None:
    lines = [line(n, NOW - 100 + n) for n in range(50)]
    # What a canary failed to answer is nothing of the champion, also where that answered for it.
    lines += [line(50 + n, NOW - 50 + n, version=2, status=500) for n in range(10)]
    lines += [line(60 + n, NOW - 40 + n, version=1, instead_of=2) for n in range(10)]
    # And one that answered in the champion's place is.
    lines += [line(70 + n, NOW - 30 + n, version=2, instead_of=1) for n in range(3)]
    write(tmp_path, lines)
    told = found(tmp_path)
    assert told is not None
    assert (told.n_requests, told.n_of_version, told.n_failed) == (73, 53, 3)


def test_the_newest_day_is_meant_also_when_it_was_long_ago(tmp_path: Path) -> None:
    old = [line(n, NOW - 9 * DAY_S + n) for n in range(5)]
    newer = [line(10 + n, NOW - 3 * DAY_S + n) for n in range(7)]
    write(tmp_path, old, token="a1", sealed=True)
    write(tmp_path, newer, token="b2", sealed=True)
    told = found(tmp_path)
    assert told is not None
    assert (told.n_requests, told.seconds) == (7, 6.0)


def test_nothing_was_logged(tmp_path: Path) -> None:
    assert found(tmp_path) is None


# --- steps --------------------------------------------------------------------------------------------------------


def pipeline(*steps: StepSpec) -> Pipeline:
    return Pipeline(name="p", steps=(StepSpec(id="train", name="Train", run="true"), *steps))


def deploys(name: str, **said: object) -> StepSpec:
    return StepSpec(id=name, name=name, uses="deploy", with_values=said)


def test_the_only_deploy_step_is_meant_or_the_one_that_is_named() -> None:
    one, other = deploys("one"), deploys("other")
    assert deploy_step(pipeline(one), None) == one
    assert deploy_step(pipeline(one, other), "other") == other
    with pytest.raises(UsageMistaken, match="2 steps deploy"):
        deploy_step(pipeline(one, other), None)
    with pytest.raises(NameUnknown, match="no step 'train' deploys"):
        deploy_step(pipeline(one), "train")
    with pytest.raises(NameUnknown, match="no step of p deploys"):
        deploy_step(pipeline(), None)


def test_a_strategy_that_only_a_run_knows_is_refused() -> None:
    step = deploys("one", endpoint="e", strategy=[{"canary": "10% for 2h"}, "promote"], harm="${{ params.harm }}")
    with pytest.raises(UsageMistaken, match="`harm` of step one is known only in a run") as e:
        strategy_of(step)
    assert e.value.at == "step one: with.harm"
    assert strategy_of(deploys("two", endpoint="e", unsure="hold")) == {"unsure": "hold"}
