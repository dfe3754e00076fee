"""Put a registered version on an endpoint: checked by real predictions before any traffic reaches it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from headway.core.ids import is_name, parse_model_ref
from headway.core.limits import Limits, read_limits
from headway.core.problem import Problem
from headway.core.recording import Recording, read_recording
from headway.core.rollout_order import Order
from headway.core.strategy import Strategy, columns_of, is_watched
from headway.core.strategy_grammar import KEYS, Read, read_strategy
from headway.core.vetting import read_within
from headway.errors import NameUnknown, UsageMistaken
from headway.steps import Bench, refuse


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Release a model version on an endpoint.

    The new version is started beside the one that serves, answers the golden requests, and takes over only if all are
    right; otherwise the old one serves on and the step ends with exit code 7. With a `strategy` it takes over stage by
    stage, judged by what was logged; rolled back, the step ends with 7, and held for a person with 6. It is done when
    the version was promoted: `headway rollout watch ENDPOINT` goes on with a bake. Deploying what serves already only
    asks the golden requests again. A version that no gate let pass is refused with 3. Outputs: `url`, `version`
    (churn@3) and `previous` (2, or nothing).
    """

    endpoint: Annotated[
        str, Meta(description="The endpoint's name: a stable address that serves one model.", examples=["churn"])
    ]
    model: Annotated[
        str,
        Meta(
            description="The version: churn@3, churn@challenger or `${{ steps.register.out.version }}`.",
            examples=["churn@challenger"],
        ),
    ]
    target: Annotated[str, Meta(description="Where the endpoint lives. Default: local, a port of this machine.")] = (
        "local"
    )
    golden: Annotated[
        str, Meta(description="A file of golden requests, JSON lines. Default: none; only readiness is checked.")
    ] = ""
    golden_within: Annotated[
        str | float,
        Meta(
            description="How long each golden request may take, the median of 5 asks: 50ms, or seconds. Default: as "
            "long as it likes; a request may say its own `within_ms`.",
            examples=["50ms"],
        ),
    ] = ""
    override: Annotated[
        str,
        Meta(
            description="Why this version may be released although no gate let it pass; recorded, and allowed to those "
            "whom headway.toml names. Default: it may not."
        ),
    ] = ""
    log: Annotated[
        bool | dict[str, Any],
        Meta(
            description="How predictions are logged: false, or a mapping with share, leave-out, hash, keep and "
            "keep-size. Default: all of them, for 90 days.",
            examples=[{"share": 0.1, "leave-out": ["email"], "keep": "30d"}],
        ),
    ] = True
    limits: Annotated[
        dict[str, Any],
        Meta(
            description="How much clients may ask: a mapping with body, arriving, queue, queue-rows, answer, request, "
            "idle and headers. Default: see docs/serving.md.",
            examples=[{"queue": 256, "body": "4MB", "answer": "5s"}],
        ),
    ] = {}
    port: Annotated[
        int, Meta(ge=0, le=65535, description="The endpoint's port; 0: the one it has, or any free one.")
    ] = 0
    strategy: Annotated[
        str | list[str | dict[str, Any]],
        Meta(
            description="How traffic moves: all-at-once, blue-green, or a list of shadow, canary, pause, promote and "
            "bake (docs/rollouts.md). Default: all-at-once.",
            examples=[[{"shadow": "100% for 2000 requests"}, {"canary": "10% for 10000 requests"}, "promote"]],
        ),
    ] = "all-at-once"
    rollback: Annotated[
        str | list[str] | None,
        Meta(
            description="What rolls back: not-ready, errors, latency, quality, predictions. Default: not-ready, errors."
        ),
    ] = None
    checks: Annotated[
        str | list[str] | None,
        Meta(description="What must be proved before it is promoted.", examples=[["new.errors / old.errors <= 1.5"]]),
    ] = None
    unsure: Annotated[
        Literal["hold", "rollback", "promote"] | None,
        Meta(description="What happens when a check is not proved at the end. Default: hold."),
    ] = None
    false_rollbacks: Annotated[
        float | None, Meta(description="How often a version that breaks nothing may be rolled back. Default: 0.05.")
    ] = None
    slower_than: Annotated[str | None, Meta(description="What makes a request slow.", examples=["200ms"])] = None
    wrong: Annotated[str | None, Meta(description="What makes a number wrong.", examples=["off by 5%"])] = None
    harm: Annotated[
        str | int | None, Meta(description="What may fail by it.", examples=["at most 20 extra failed requests"])
    ] = None
    burst: Annotated[int | None, Meta(description="So many bad answers may have one cause. Default: 1.")] = None
    slices: Annotated[int | None, Meta(description="So many slices are told apart for each check. Default: 20.")] = None

    # Any: `with:` as a person wrote it.
    @staticmethod
    def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
        """What cannot be an endpoint's name, a reference to a model, a log, limits, or a strategy that is watched."""
        endpoint, model = values.get("endpoint"), values.get("model")
        if endpoint is not None and not is_name(endpoint):
            problem = f"{endpoint!r} cannot be an endpoint's name"
            yield Problem(path=("endpoint",), problem=problem, remedy="use letters, digits and -_.")
        if model is not None:
            try:
                parse_model_ref(model)
            except UsageMistaken as e:
                yield Problem(path=("model",), problem=e.problem, remedy=e.remedy)
        yield from _no_time(values.get("golden-within", ""))
        yield from _below("log", read_recording(values.get("log", True)))
        yield from _below("limits", read_limits(values.get("limits", {})))
        read = _strategy(values)
        yield from read.problems
        if read.strategy is not None:
            yield from _unlogged(read.strategy, values.get("log", True))

    def run(self, bench: Bench) -> int:
        """Release it. Raises UsageMistaken, NameUnknown, and as `Bench.release`."""
        told = {"endpoint": self.endpoint, "log": self.log, "limits": self.limits, **self._rollout()}
        told["golden-within"] = self.golden_within
        refuse(self.problems(told), bench.step_id)
        recording, limits = read_recording(self.log), read_limits(self.limits)
        assert isinstance(recording, Recording)
        assert isinstance(limits, Limits)
        ref = parse_model_ref(self.model)
        version = bench.resolve(ref)
        if version is None:
            raise NameUnknown(
                f"there is no {ref}",
                at=f"step {bench.step_id}: with.model",
                remedy="`headway models` lists the versions; a `register` step before this one makes one",
            )
        order = Order(
            endpoint=self.endpoint,
            model=version.model,
            version=version.version,
            key=bench.key,
            target=self.target,
            port=self.port,
            run=bench.run_id,
            by=bench.task.by,
            recording=recording,
            limits=limits,
            strategy=_strategy(told).strategy,
            override=self.override,
            within_ms=read_within(self.golden_within) or 0.0,
        )
        done = bench.release(order, golden_file=bench.path(self.golden) if self.golden else "")
        bench.say(str(done))
        for note in done.notes:
            bench.say(f"note: {note}")
        if done.previous is not None:
            bench.say(f"back to {done.model}@{done.previous}: headway rollback {self.endpoint}")
        bench.output("url", done.url)
        bench.output("version", f"{done.model}@{done.version}")
        bench.output("previous", "" if done.previous is None else str(done.previous))
        return done.exit_code

    def _rollout(self) -> dict[str, object]:
        """The keys of the strategy that were given."""
        told = {key: getattr(self, key.replace("-", "_")) for key in KEYS}
        return {key: value for key, value in told.items() if value is not None}


def _no_time(within: object) -> Iterator[Problem]:
    if within != "" and read_within(within) is None:
        problem, remedy = f"golden-within: {within!r} is no time", "write 50ms, or a number of seconds"
        yield Problem(path=("golden-within",), problem=problem, remedy=remedy)


def _strategy(values: Mapping[str, object]) -> Read:
    return read_strategy({key: values[key] for key in KEYS if values.get(key) is not None})


def _unlogged(strategy: Strategy, log: object) -> Iterator[Problem]:
    """What could not be counted, because nobody writes it down: the prediction log is all the evidence there is."""
    if not is_watched(strategy):
        return
    if log is False:
        problem = "nothing is logged by which the stages of `strategy` could be judged"
        yield Problem(path=("log",), problem=problem, remedy="leave `log` out, or write `strategy: all-at-once`")
    left_out = log.get("leave-out", ()) if isinstance(log, Mapping) else ()
    for column, words in sorted(columns_of(strategy).items()):
        if isinstance(left_out, list | tuple) and column in left_out:
            problem = f"`{column}` is not logged, so that `{words}` tells nothing apart"
            remedy = f"write `hash: [{column}]`, which keeps equal values equal, or do without `{words}`"
            yield Problem(path=("log", "leave-out"), problem=problem, remedy=remedy)


def _below(key: str, read: Recording | Limits | list[Problem]) -> Iterator[Problem]:
    """The faults of a mapping in `with:`, if it has any."""
    for fault in read if isinstance(read, list) else ():
        yield Problem(path=(key, *fault.path), problem=fault.problem, remedy=fault.remedy, at_key=fault.at_key)
