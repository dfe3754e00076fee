"""Make a version of a model: immutable, numbered, with all that led to it."""

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from headway.core.ids import Digest, is_name
from headway.core.problem import Problem
from headway.core.registry import Registration
from headway.steps import Bench, refuse


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Register a model: keep its file, number it, record run, code, data, params, metrics and verdict with it.

    Registering again what the newest version already holds makes no new version. Outputs: `version` (churn@3) and
    `number` (3).
    """

    model: Annotated[
        str,
        Meta(
            description="The model's file or folder: a path, or an output of an earlier step.",
            examples=["models/model.pkl"],
        ),
    ]
    name: Annotated[
        str, Meta(description="What the model is called in the registry: letters, digits and -_.", examples=["churn"])
    ]
    alias: Annotated[
        str, Meta(description="The name that shall mean the new version; empty for none. Default: challenger.")
    ] = "challenger"

    # Any: `with:` as a person wrote it.
    @staticmethod
    def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
        """Texts that cannot be names."""
        for field in ("name", "alias"):
            text = values.get(field)
            if text is not None and (text or field == "name"):
                if is_name(text) and not (field == "alias" and text.isdigit()):
                    continue
                yield Problem(
                    path=(field,),
                    problem=f"{text!r} cannot be a model's {field}",
                    remedy="use letters, digits and -_. (an alias of digits alone would read as a version)",
                )

    def run(self, bench: Bench) -> int:
        """Keep, detect, append. Raises FileMissing, ModelUnreadable, UsageMistaken."""
        refuse(self.problems({"name": self.name, "alias": self.alias}), bench.step_id)
        task = bench.task
        artifact = bench.artifact(self.model)
        registered = bench.register(
            Registration(
                model=self.name,
                artifact=artifact,
                key=bench.key,
                format=bench.detect(artifact),
                run=bench.run_id,
                step=bench.step_id,
                source=task.source,
                data=task.data,
                params=task.params,
                metrics=task.metrics,
                verdict=_verdict(bench),
                by=task.by,
                alias=self.alias or None,
            )
        )
        version = f"{self.name}@{registered.version.version}"
        if registered.why:
            bench.say(f"{version} stays: {registered.why}")
        else:
            alias = f", now {self.name}@{self.alias}" if self.alias else ""
            bench.say(f"registered {version} ({registered.version.format}, {artifact.digest[:12]}){alias}")
        bench.output("version", version)
        bench.output("number", str(registered.version.version))
        return 0


def _verdict(bench: Bench) -> Digest | None:
    """The newest verdict that an earlier step of the run reported: a file, kept now, or what was kept already."""
    for values in reversed(list(bench.task.values.values())):
        if text := values.get("verdict"):
            path = bench.path(text)
            if os.path.isfile(path):
                return bench.blobs.put_file(path)[0]
            return next(iter(bench.blobs.has([Digest(text)])), None)
    return None
