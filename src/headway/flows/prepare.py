"""A step whose turn has come, made ready: expressions filled in, inputs named by digest, its cache key, its command.

Reads the workspace and nothing else; writes only scripts of odd shells and the task files of `uses:` steps.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from headway.codec.wire import digest_of
from headway.core.declared_env import with_env
from headway.core.expression import Scope, bind, fill
from headway.core.facts import KeyPart
from headway.core.pipeline import Pipeline, StepSpec
from headway.core.plan import MISSING, SEED, cache_key, params_of, parts_of
from headway.errors import FileMissing
from headway.flows.commands import Command, Shells, builtin, file_name
from headway.flows.workspace import Workspace


class Prepared:
    """What is known of a step before it starts. `key` is None for a step that declares nothing.

    `missing` are declared inputs that are not there: such a step cannot run. `inputs` are paths and digests.
    """

    __slots__ = ("env", "inputs", "key", "missing", "parts", "spec", "text", "with_values")

    def __init__(self, spec: StepSpec, text: str, env: dict[str, str]) -> None:
        self.spec = spec
        self.text = text
        self.env = env
        # Any: the keys of `with:`, checked by the step's own type.
        self.with_values: dict[str, Any] = {}
        self.parts: tuple[KeyPart, ...] = ()
        self.key: str | None = None
        self.inputs: dict[str, str] = {}
        self.missing: tuple[str, ...] = ()


class Preparer:
    """Makes the steps of one run ready."""

    def __init__(
        self, pipeline: Pipeline, *, workspace: Workspace, environ: Mapping[str, str], scripts: str, seed: int = 0
    ) -> None:
        """`scripts` is a folder for texts that must lie in a file; `seed` is what the run's steps find as theirs."""
        self._pipeline = pipeline
        # None of its own for the seed that nobody chose: results from before it counted stay known.
        self._seed = {SEED: str(seed)} if seed else {}
        self.workspace = workspace
        self._environ = environ
        self._shells = Shells(environ, scripts)

    def prepare(self, spec: StepSpec, scope: Scope) -> Prepared:
        """Fill in the step and, if it is cacheable, name its key. Raises ExpressionUnreadable."""
        scope = with_env(scope, self._pipeline.env, spec.env, self._environ)
        declared = dict(scope.env)
        text, bound = bind(spec.run, scope) if spec.run is not None else ("", {})
        ready = Prepared(spec, text, {**declared, **bound})
        if spec.uses is not None:
            ready.with_values = fill(spec.with_values, scope)
        if spec.cacheable and spec.uses is None:
            # A built-in step looks at more than its inputs: who is champion, what serves. It always runs.
            self.key(ready, scope)
        return ready

    def key(self, ready: Prepared, scope: Scope) -> None:
        """Digest the inputs and set parts and key; again, when time has passed."""
        spec = ready.spec
        ready.inputs = self.digests(spec, scope)
        ready.missing = tuple(path for path, digest in ready.inputs.items() if digest == MISSING)
        ready.parts = parts_of(
            spec,
            command=digest_of((spec.uses or spec.run or "").encode()),
            # Values may be secret: their digests say as well whether they changed.
            env={**self._seed, **{name: digest_of(value.encode())[:16] for name, value in ready.env.items()}},
            with_values=ready.with_values,
            inputs=ready.inputs,
            params=params_of(spec.params, self._pipeline.params),
        )
        ready.key = cache_key(ready.parts)

    def digests(self, spec: StepSpec, scope: Scope) -> dict[str, str]:
        """Path to digest of all that a step reads; globs are spread, and a glob that finds nothing is missing."""
        scope = with_env(scope, self._pipeline.env, spec.env, self._environ)
        found: dict[str, str] = {}
        for written in spec.inputs:
            path = str(fill(written, scope)) if "${{" in written else written
            for one in self._spread(path):
                try:
                    found[one] = self.workspace.look(one).digest
                except FileMissing:
                    found[one] = MISSING
        return found

    def _spread(self, path: str) -> Sequence[str]:
        if not any(c in path for c in "*?["):
            return (path,)
        from glob import glob

        return sorted(glob(path, root_dir=self.workspace.folder, recursive=True)) or (path,)

    def command(self, ready: Prepared, attempt: int) -> Command:
        """The command line of a `run:` step."""
        script = f"{file_name(ready.spec.id)}-{attempt}.script"
        return self._shells.command(ready.spec, ready.text, script, ready.env)

    def builtin(self, task: bytes, path: str) -> Command:
        """The command line of a `uses:` step; writes its task file."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(task)
        return builtin(path)
