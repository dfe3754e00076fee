import pytest

from headway.core.rollout_basis import Basis, Forecast, Logged, basis_of, told
from headway.core.rollout_plan import plan_rollout
from headway.core.strategy_typed import read_typed


def lines(stages: str, basis: Basis, **said: str | list[str]) -> tuple[str, ...]:
    strategy = read_typed({"strategy": stages, **said}, at="test")
    return told(Forecast(strategy=strategy, basis=basis, plan=plan_rollout(strategy, basis.supposed)))


def test_what_was_typed_goes_before_what_was_measured_and_that_before_a_guess() -> None:
    logged = Logged(endpoint="churn", n_requests=12_000, n_of_version=12_000, seconds=36_000.0, n_failed=60, n_slow=240)
    basis = basis_of({"errors": 0.02}, logged)
    assert (basis.given, basis.measured) == (("errors",), ("per_minute", "slow"))
    supposed = basis.supposed
    assert (supposed.per_minute, supposed.errors, supposed.slow, supposed.wrong) == (20.0, 0.02, 0.02, 0.15)
    said = lines(
        "canary: 10% for 10000 requests, promote", basis, rollback="errors,latency", **{"slower-than": "200ms"}
    )
    assert said[:2] == (
        "churn logged 12,000 requests in 10 hours: 20 requests a minute and 2 % are slow",
        "as you say: 2 % fail",
    )
    assert not any("guessed" in line for line in said)


def test_none_that_failed_is_not_never() -> None:
    assert (
        basis_of({}, Logged(endpoint="e", n_requests=1000, n_of_version=1000, seconds=60.0)).supposed.errors == 0.0005
    )


def test_shares_are_of_the_requests_that_the_champion_was_to_answer() -> None:
    logged = Logged(endpoint="e", n_requests=1000, n_of_version=200, seconds=60.0, n_failed=10)
    assert basis_of({}, logged).supposed.errors == 0.05
    few = Logged(endpoint="e", n_requests=1000, n_of_version=20, seconds=60.0, n_failed=10)
    assert basis_of({}, few).measured == ("per_minute",)


def test_a_few_requests_tell_nothing() -> None:
    basis = basis_of({}, Logged(endpoint="churn", n_requests=7, seconds=30.0, n_failed=7))
    assert basis == Basis(supposed=Basis(supposed=basis_of({}, None).supposed).supposed, logged=basis.logged)
    said = lines("canary: 10% for 10000 requests, promote", basis)
    assert said[0] == "churn logged 7 requests in 30 seconds: too few to go by"
    assert said[1] == "guessed, since nothing tells it: 1,200 requests a minute (--rate) and 1 % fail (--errors)"


@pytest.mark.parametrize(
    ("stages", "end"),
    [
        ("canary: 10% for 2h, pause: approval by alice, promote, bake: 14d", "for a person; then 14 days of bake"),
        ("canary: 10% for 2h, pause: 30m, promote", "in all about 2.5 hours until it takes over"),
        ("all-at-once", "it takes over at once"),
        ("blue-green", "it takes over at once; then 1 hour of bake"),
    ],
)
def test_it_is_told_how_long_it_takes(stages: str, end: str) -> None:
    said = [line for line in lines(stages, basis_of({}, None)) if not line.startswith("warning")]
    assert said[-1].endswith(end)


def test_stages_stand_in_their_order_and_warnings_come_last() -> None:
    said = lines("canary: 5% for 500 requests, pause: approval, promote, bake: 14d", basis_of({}, None))
    heads = [line.split(" (")[0] for line in said if line[0] != " "][1:]
    assert heads == [
        "canary: 5% for 500 requests",
        "pause: approval: waits until somebody promotes or aborts it",
        "promote: the new version answers everything",
        "bake: 14d: the old version stays warm for 14 days, and goes on counting labels",
        heads[4],
        heads[5],
    ]
    assert heads[5].startswith("warning: canary: 5% for 500 requests catches a doubled error rate 1 time in 100")


def test_only_what_the_plan_depends_on_is_supposed_aloud() -> None:
    said = "\n".join(
        lines("shadow: 100% for 500 requests, promote", basis_of({"labelled": 0.5}, None), rollback="quality")
    )
    assert "50 % are labelled" in said
    assert "--wrong" in said
    assert "--differ" in said
    assert "--errors" not in said
    assert "supposed" not in "\n".join(lines("all-at-once", basis_of({}, None)))
