"""Make a version of a model: immutable, numbered, with all that led to it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from headway.core.examined import Examined, told
from headway.core.gate_kept import KeptGate, is_about
from headway.core.ids import Artifact, Digest, is_name
from headway.core.problem import Problem
from headway.core.registry import Registration
from headway.errors import ModelUnreadable
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
    data: Annotated[
        str,
        Meta(
            description="Rows like those that the model will be asked about, a file or folder: its signature is"
            " completed by them and a conversion to ONNX is proven on them. Default: none; it is registered unseen.",
            examples=["data/holdout.parquet"],
        ),
    ] = ""
    target: Annotated[
        str, Meta(description="The column of `data` that the model foretells, which is no input.", examples=["late"])
    ] = ""
    onnx: Annotated[
        Literal["auto", "always", "never"],
        Meta(
            description="Whether a scikit-learn model is converted to ONNX as well, which serves in its place once it"
            " is proven to answer alike. auto: if `data` is given and headway[onnx] installed; always: the step fails"
            " without; never. Default: auto."
        ),
    ] = "auto"

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
        if values.get("onnx") == "always" and not values.get("data"):
            yield Problem(
                path=("onnx",),
                problem="without rows a conversion cannot be proven, and one that is not proven is not used",
                remedy="give `data`, a file of rows like those that the model will be asked about",
            )

        if values.get("target") and not values.get("data"):
            yield Problem(
                path=("target",),
                problem="`target` is a column of `data`, and there is no `data`",
                remedy="give `data`, or leave `target` out",
            )

    def run(self, bench: Bench) -> int:
        """Keep, detect, append. Raises FileMissing, ModelUnreadable, UsageMistaken."""
        refuse(self.problems(msgspec.to_builtins(self)), bench.step_id)
        task = bench.task
        artifact = bench.artifact(self.model)
        kind = bench.detect(artifact)
        found = self._examined(bench, artifact, kind)
        verdict, answers = _judged(bench, artifact)
        registered = bench.register(
            Registration(
                model=self.name,
                artifact=artifact,
                key=bench.key,
                format=kind,
                run=bench.run_id,
                step=bench.step_id,
                source=task.source,
                data=task.data,
                params=task.params,
                metrics=task.metrics,
                verdict=verdict,
                by=task.by,
                signature=found.signature,
                onnx=found.onnx,
                latency=found.latency,
                answers=answers or found.answers,
                alias=self.alias or None,
            )
        )
        version = f"{self.name}@{registered.version.version}"
        if registered.why:
            bench.say(f"{version} stays: {registered.why}")
        else:
            alias = f", now {self.name}@{self.alias}" if self.alias else ""
            bench.say(f"registered {version} ({registered.version.format}, {artifact.digest[:12]}){alias}")
            for line in _said(found):
                bench.say(line)
        bench.output("version", version)
        bench.output("number", str(registered.version.version))
        return 0

    def _examined(self, bench: Bench, artifact: Artifact, kind: str) -> Examined:
        """What the model tells, asked about `data`; nothing where none is given, or it is registered already."""
        newest = bench.resolve(f"{self.name}@{self.alias}") if self.alias else None
        if not self.data or (newest is not None and newest.artifact.digest == artifact.digest):
            return Examined()
        wants = self.onnx != "never"
        found = bench.examine(artifact, kind, bench.artifact(self.data), target=self.target, wants_onnx=wants)
        if self.onnx == "always" and not found.is_proven:
            why = found.onnx.why if found.onnx is not None else found.trouble
            raise ModelUnreadable(
                "it has no conversion to ONNX that answers as it does"
                f": {why or f'models of the format {kind} are not converted, or headway[onnx] is not installed'}",
                at=artifact.path,
                remedy="mend that, or write `onnx: auto`: the version is then registered and serves as it is",
            )
        return found


def _said(found: Examined) -> Iterator[str]:
    if found.trouble:
        yield f"its signature is not known: {found.trouble}"
    if found.onnx is not None:
        yield told(found.onnx)


def _judged(bench: Bench, artifact: Artifact) -> tuple[Digest | None, Digest | None]:
    """The verdict on this model that an earlier step of the run reported, and the blob of what it answered there.

    Of several the newest that is about this model; where none is known to be, the newest, for what it is worth.
    """
    found = [verdict for verdict in _verdicts(bench) if verdict is not None]
    for verdict in found:
        kept = _kept(bench, verdict)
        if kept is not None and is_about(kept, artifact.digest):
            return verdict, kept.answers
    return (found[0] if found else None), None


def _verdicts(bench: Bench) -> Iterator[Digest | None]:
    """All verdicts that earlier steps reported, the newest first: files, kept now, or what was kept already."""
    for values in reversed(list(bench.task.values.values())):
        if text := values.get("verdict"):
            path = bench.path(text)
            if os.path.isfile(path):
                yield bench.blobs.put_file(path)[0]
            else:
                yield next(iter(bench.blobs.has([Digest(text)])), None)


def _kept(bench: Bench, verdict: Digest) -> KeptGate | None:
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(bench.blobs.get(verdict), type=KeptGate)
    return None
