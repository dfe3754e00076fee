"""Put a registered version on an endpoint: checked by real predictions before any traffic reaches it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from headway.core.ids import is_name, parse_model_ref
from headway.core.limits import Limits, read_limits
from headway.core.problem import Problem
from headway.core.recording import Recording, read_recording
from headway.core.rollout import Order
from headway.errors import NameUnknown, UsageMistaken
from headway.steps import Bench, refuse

ALL_AT_ONCE = "all-at-once"


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Release a model version on an endpoint.

    The new version is started beside the one that serves, answers the golden requests, and takes over only if all are
    right; otherwise the old one serves on and the step ends with exit code 7. Deploying what serves already only asks
    the golden requests again. Outputs: `url`, `version` (churn@3) and `previous` (2, or nothing).
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
    # Any: refused unless it is the one word that works yet.
    strategy: Annotated[Any, Meta(description="How traffic moves. Only all-at-once so far.")] = ALL_AT_ONCE

    # Any: `with:` as a person wrote it.
    @staticmethod
    def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
        """What cannot be an endpoint's name, a reference to a model, a log, limits, or a strategy yet."""
        endpoint, model = values.get("endpoint"), values.get("model")
        if endpoint is not None and not is_name(endpoint):
            problem = f"{endpoint!r} cannot be an endpoint's name"
            yield Problem(path=("endpoint",), problem=problem, remedy="use letters, digits and -_.")
        if model is not None:
            try:
                parse_model_ref(model)
            except UsageMistaken as e:
                yield Problem(path=("model",), problem=e.problem, remedy=e.remedy)
        yield from _below("log", read_recording(values.get("log", True)))
        yield from _below("limits", read_limits(values.get("limits", {})))
        strategy = values.get("strategy", ALL_AT_ONCE)
        if strategy not in (ALL_AT_ONCE, [ALL_AT_ONCE]):
            yield Problem(
                path=("strategy",),
                problem=f"the strategy {strategy!r} is not there yet",
                remedy=f"leave it out or write {ALL_AT_ONCE}: the version answers the golden requests, then takes over",
            )

    def run(self, bench: Bench) -> int:
        """Release it. Raises UsageMistaken, NameUnknown, and as `Bench.release`."""
        told = {"endpoint": self.endpoint, "strategy": self.strategy, "log": self.log, "limits": self.limits}
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
        )
        done = bench.release(order, golden_file=bench.path(self.golden) if self.golden else "")
        bench.say(str(done))
        if done.previous is not None:
            bench.say(f"back to {done.model}@{done.previous}: headway rollback {self.endpoint}")
        bench.output("url", done.url)
        bench.output("version", f"{done.model}@{done.version}")
        bench.output("previous", "" if done.previous is None else str(done.previous))
        return 0


def _below(key: str, read: Recording | Limits | list[Problem]) -> Iterator[Problem]:
    """The faults of a mapping in `with:`, if it has any."""
    for fault in read if isinstance(read, list) else ():
        yield Problem(path=(key, *fault.path), problem=fault.problem, remedy=fault.remedy, at_key=fault.at_key)
