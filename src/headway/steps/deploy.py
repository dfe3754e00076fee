"""Put a registered version on an endpoint: checked by real predictions before any traffic reaches it."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from headway.core.ids import is_name, parse_model_ref
from headway.core.rollout import Order
from headway.errors import NameUnknown, UsageMistaken
from headway.steps import Bench

ALL_AT_ONCE = "all-at-once"


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Release a model version on an endpoint.

    The new version is started beside the one that serves, answers the golden requests, and takes over only if all are
    right; otherwise the old one serves on and the step ends with exit code 7. Deploying what serves already only asks
    the golden requests again. Outputs: `url`, `version` (churn@3) and `previous` (2, or nothing).
    """

    endpoint: Annotated[str, Meta(description="The endpoint's name: a stable address that serves one model.")]
    model: Annotated[
        str, Meta(description="The version: churn@3, churn@challenger or `${{ steps.register.out.version }}`.")
    ]
    target: Annotated[str, Meta(description="Where the endpoint lives. Default: local, a port of this machine.")] = (
        "local"
    )
    golden: Annotated[
        str, Meta(description="A file of golden requests, JSON lines. Default: none; only readiness is checked.")
    ] = ""
    port: Annotated[
        int, Meta(ge=0, le=65535, description="The endpoint's port; 0: the one it has, or any free one.")
    ] = 0
    # Any: refused unless it is the one word that works yet.
    strategy: Annotated[Any, Meta(description="How traffic moves. Only all-at-once so far.")] = ALL_AT_ONCE

    def run(self, bench: Bench) -> int:
        """Release it. Raises UsageMistaken, NameUnknown, and as `Bench.release`."""
        self._check(bench.step_id)
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
        )
        done = bench.release(order, golden_file=bench.path(self.golden) if self.golden else "")
        bench.say(str(done))
        if done.previous is not None:
            bench.say(f"back to {done.model}@{done.previous}: headway rollback {self.endpoint}")
        bench.output("url", done.url)
        bench.output("version", f"{done.model}@{done.version}")
        bench.output("previous", "" if done.previous is None else str(done.previous))
        return 0

    def _check(self, step_id: str) -> None:
        if not is_name(self.endpoint):
            raise UsageMistaken(
                f"{self.endpoint!r} cannot be an endpoint's name",
                at=f"step {step_id}: with.endpoint",
                remedy="use letters, digits and -_.",
            )
        if self.strategy not in (ALL_AT_ONCE, [ALL_AT_ONCE]):
            raise UsageMistaken(
                f"the strategy {self.strategy!r} is not there yet",
                at=f"step {step_id}: with.strategy",
                remedy=f"leave it out or write {ALL_AT_ONCE}: the version answers the golden requests, then takes over",
            )
