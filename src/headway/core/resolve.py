"""What a person wrote into the pipeline that runs: ids, matrices, paths, order, and every name checked.

Faults are collected, not raised: a `Problem` says where in the values it is. Knows no file and no line.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from headway.core import declare, order, paths, refer
from headway.core.expression import Scope, StepScope, fill_known
from headway.core.expression_syntax import OPEN
from headway.core.expression_values import text_of
from headway.core.facts import Scalar
from headway.core.grammar import File, Step
from headway.core.ids import is_name
from headway.core.matrix import instance_ids, spread
from headway.core.pipeline import Pipeline
from headway.core.problem import MANY, Path, Problem, did_you_mean
from headway.core.schedule import IsZone, trigger_problems
from headway.core.specify import Node, specify

OWN_PATHS = "let each step write paths of its own"


class Around(Struct, frozen=True, kw_only=True):
    """What the file's own text does not say.

    `params` are those of its params file, or of the command line when it names none; None when they are not known.
    `lines` holds each step's line. `damaged` are steps with faults found before, of which no more is said than must be.
    `name` is the pipeline's when the file gives none. `is_zone` knows the time zones; None: any is believed.
    """

    # Any: a user's own nested numbers and texts.
    params: Mapping[str, Any] | None = None
    step_types: Collection[str] = ()
    lines: Sequence[int] = ()
    damaged: Collection[int] = ()
    name: str = "pipeline"
    is_zone: IsZone | None = None


def resolve(file: File, around: Around) -> tuple[Pipeline | None, list[Problem]]:
    """The pipeline, or None and everything that is wrong."""
    return _Resolver(file, around).resolve()


class _Resolver:
    """Goes over the file step by step; made, used once, dropped."""

    def __init__(self, file: File, around: Around) -> None:
        self.file = file
        self.around = around
        self.problems: list[Problem] = []
        self.nodes: list[Node] = []
        self.groups: list[range] = []
        self.by_id: dict[str, range] = {}
        self.writers = order.Writers()
        self.uses: list[list[refer.Use]] = []
        self.has_unnamed = any(not (file.steps[i].id or file.steps[i].name) for i in around.damaged)

    def resolve(self) -> tuple[Pipeline | None, list[Problem]]:
        self.check_top()
        self.spread()
        self.find_outputs()
        self.find_inputs()
        self.find_uses()
        needs = self.ordered()
        file = self.file
        specs, problems = specify(self.nodes, needs, self.sequence, self.around.lines)
        self.problems += problems
        if self.problems:
            return None, self.problems
        triggers = file.triggers if file.triggers is not UNSET else file.on
        pipeline = Pipeline(
            name=file.pipeline or self.around.name,
            steps=specs,
            env={name: text_of(value) for name, value in file.env.items()},
            params_file=file.params or None,
            params=dict(self.around.params or {}) if file.params else {},
            triggers={} if triggers is UNSET else msgspec.to_builtins(triggers),
            monitors=msgspec.to_builtins(file.monitors),
        )
        return pipeline, []

    def fault(self, path: Path, problem: str, remedy: str, *, at_key: bool = False) -> None:
        self.problems.append(Problem(path=path, problem=problem, remedy=remedy, at_key=at_key))

    # --- the top of the file ------------------------------------------------------------------------------------

    def check_top(self) -> None:
        file = self.file
        if file.version != 1:
            self.fault(("version",), f"the format has no version {file.version}", "write 1, or use a newer headway")
        if file.pipeline and not is_name(file.pipeline):
            self.fault(("pipeline",), f"`{file.pipeline}` cannot name a pipeline", "use letters, digits, - _ and .")
        if not file.steps:
            self.fault(("steps",), "there are no steps", "write at least one: - run: python train.py")
        if file.triggers is not UNSET and file.on is not UNSET:
            self.fault(("on",), "both `triggers` and `on` are given", "they mean the same: keep one", at_key=True)
        self.problems += trigger_problems(file, self.around.name, self.around.is_zone)
        known = self.known()
        for _, path, text in refer.texts_in(file.env, ("env",)):
            problem = refer.check_global(text, path, known)
            if problem is not None:
                self.problems.append(problem)

    # --- ids and matrices ---------------------------------------------------------------------------------------

    def spread(self) -> None:
        steps = self.file.steps
        ids, problems = declare.ids_of(steps)
        self.problems += problems
        for i, (step, made) in enumerate(zip(steps, ids, strict=True)):
            if i not in self.around.damaged:
                self.problems += declare.shape_problems(step, i, self.around.step_types)
            start = len(self.nodes)
            if step.matrix:
                combinations, problems = spread(step.matrix, ("steps", i, "matrix"))
                self.problems += problems
                # A faulty matrix stands for one instance, so that other steps may still name it.
                combinations = combinations or [{}]
                names = instance_ids(made, combinations)
                self.nodes += [Node(step, i, n, c) for n, c in zip(names, combinations, strict=True)]
                self.by_id.update({n: range(start + k, start + k + 1) for k, n in enumerate(names)})
            else:
                self.nodes.append(Node(step, i, made, {}))
            group = range(start, len(self.nodes))
            self.groups.append(group)
            self.by_id.setdefault(made, group)

    # --- paths --------------------------------------------------------------------------------------------------

    def find_outputs(self) -> None:
        for i, group in enumerate(self.groups):
            for name, written, below in declare.named_outputs(self.file.steps[i]):
                self.add_output(group, name, written, ("steps", i, *below))
        for path, inner, above, outer in self.writers.nested():
            one, two = sorted((self.nodes[inner], self.nodes[outer]), key=lambda node: node.step_index)
            self.fault(
                ("steps", two.step_index, "out"),
                f"`{one.id}` and `{two.id}` write into one another: `{path}` lies in `{above}`",
                OWN_PATHS,
            )

    def add_output(self, group: range, name: str, written: str, at: Path) -> None:
        problem = paths.output_problem(written, at)
        if problem is not None:
            self.problems.append(problem)
            return
        plain = paths.normal(written)
        for n in group:
            node = self.nodes[n]
            path = self.known_path(plain, node.matrix, at) if OPEN in plain else plain
            node.outputs[name] = path
            other = self.writers.add(path, n)
            if other is not None and other in group:
                value = next(iter(node.matrix), "x")
                self.fault(
                    at,
                    f"every instance of the matrix writes `{path}`",
                    "put a matrix value into the path: models/${{ matrix." + value + " }}.pkl",
                )
                return
            if other is not None:
                self.fault(at, f"`{self.nodes[other].id}` and `{node.id}` both write `{path}`", OWN_PATHS)

    def known_path(self, written: str, matrix: dict[str, Scalar], at: Path) -> str:
        """The path with matrix values and declared outputs of other steps filled in, what else it holds left."""
        filled = fill_known(written, Scope(matrix=matrix, steps=_Outputs(self)))
        if OPEN in filled:
            return filled
        problem = paths.path_problem(filled, at, "uses") if filled else None
        if problem is not None:
            self.problems.append(problem)
        return paths.normal(filled)

    def find_inputs(self) -> None:
        for i, group in enumerate(self.groups):
            step = self.file.steps[i]
            if step.in_ is UNSET:
                continue
            written = []
            for k, text in enumerate(declare.texts(step.in_)):
                at: Path = ("steps", i, "in") if isinstance(step.in_, str) else ("steps", i, "in", k)
                problem = paths.path_problem(text, at, "reads")
                if problem is None:
                    written.append((paths.normal(text), at))
                else:
                    self.problems.append(problem)
            for n in group:
                node = self.nodes[n]
                node.inputs = tuple(
                    self.known_path(text, node.matrix, at) if OPEN in text else text for text, at in written
                )

    # --- names --------------------------------------------------------------------------------------------------

    def known(self) -> refer.Known:
        return refer.Known(
            params=self.around.params,
            params_file=self.file.params,
            damaged=self.around.damaged,
            has_unnamed=self.has_unnamed,
            problems=self.problems,
            groups=self.by_id,
            outputs=[node.outputs for node in self.nodes],
            runs=[node.step.run for node in self.nodes],
        )

    def find_uses(self) -> None:
        known = self.known()
        for i, step in enumerate(self.file.steps):
            at: Path = ("steps", i)
            self.uses.append(refer.uses_of(step, self.groups[i], at, known, self.problems))
            if step.params and self.around.params is not None:
                for k, name in enumerate(declare.texts(step.params)):
                    if not refer.param_exists(name, self.around.params):
                        self.fault(
                            (*at, "params") if isinstance(step.params, str) else (*at, "params", k),
                            *refer.missing_param(name, self.around.params, self.file.params),
                        )

    # --- order --------------------------------------------------------------------------------------------------

    def ordered(self) -> order.Needs:
        explicit = [self.explicit(i, step) for i, step in enumerate(self.file.steps)]
        is_graph = self.file.order == "graph"
        needs = order.by_graph(self.wanted(explicit)) if is_graph else order.by_list(explicit, self.groups)
        self.sequence, rings = order.sequence(needs)
        for ring in rings:
            self.ring(ring)
        if not rings:
            self.check_comes_before(order.Ancestors(needs, self.sequence), is_graph=is_graph)
        return needs

    def explicit(self, i: int, step: Step) -> tuple[int, ...] | None:
        """The nodes that the step names in `needs`; None when it has no `needs`."""
        if step.needs is UNSET:
            return None
        found: dict[int, None] = {}
        for k, name in enumerate(declare.texts(step.needs)):
            at: Path = ("steps", i, "needs") if isinstance(step.needs, str) else ("steps", i, "needs", k)
            group = self.by_id.get(name)
            if group is None and self.has_unnamed:
                continue
            if group is None:
                self.fault(
                    at,
                    f"there is no step `{name}`",
                    did_you_mean(name, self.by_id if len(self.problems) < MANY else (), "write the id of another step"),
                )
            elif group[0] in self.groups[i]:
                self.fault(at, "a step cannot wait for itself", "take it out, or name another step")
            else:
                found.update(dict.fromkeys(group))
        return tuple(found)

    def wanted(self, explicit: Sequence[tuple[int, ...] | None]) -> list[set[int] | None]:
        """For `order: graph`: what each node must wait for, None for one that declares nothing."""
        wanted: list[set[int] | None] = []
        for n, node in enumerate(self.nodes):
            step, named = node.step, explicit[node.step_index]
            some = set(named or ())
            for use in self.uses[node.step_index]:
                some.update(use.nodes)
            for path in node.inputs:
                some.update(self.writers.of(path))
            some.discard(n)
            is_silent = step.in_ is UNSET and step.out is UNSET and named is None
            wanted.append(None if is_silent else some)
        return wanted

    def ring(self, ring: Sequence[int]) -> None:
        names = [self.nodes[n].id for n in ring]
        first = min(ring, key=lambda n: (self.nodes[n].step.needs is UNSET, n))
        node = self.nodes[first]
        path: Path = ("steps", node.step_index)
        self.fault(
            path if node.step.needs is UNSET else (*path, "needs"),
            "steps wait for each other: " + " -> ".join([*names[:8], *(["…"] if len(names) > 8 else []), names[0]]),
            "take one of these out of `needs`, `in` or `out`",
        )

    def check_comes_before(self, ancestors: order.Ancestors, *, is_graph: bool) -> None:
        """Whatever a step uses must have been made when it starts."""
        for n, node in enumerate(self.nodes):
            for use in self.uses[node.step_index]:
                late = [m for m in use.nodes if not ancestors.has(n, m)]
                if late:
                    problem, remedy = self.lateness(n, late[0], "uses what")
                    self.problems.append(Problem(path=use.path, problem=problem, remedy=remedy, offset=use.offset))
            for k, path in enumerate(node.inputs):
                for m in self.writers.of(path):
                    if m == n:
                        self.fault(
                            self.input_path(node, k),
                            f"`{node.id}` reads and writes `{path}`",
                            "write another path: what a step reads must stay as it was",
                        )
                    elif not is_graph and not ancestors.has(n, m):
                        self.fault(self.input_path(node, k), *self.lateness(n, m, f"reads `{path}`, which"))

    def input_path(self, node: Node, k: int) -> Path:
        at: Path = ("steps", node.step_index, "in")
        return at if isinstance(node.step.in_, str) else (*at, k)

    def lateness(self, n: int, m: int, how: str) -> tuple[str, str]:
        user, maker = self.nodes[n], self.nodes[m]
        if m > n:
            return f"`{user.id}` {how} `{maker.id}` makes later", f"move `{maker.id}` above it"
        return f"`{user.id}` {how} `{maker.id}` makes, but does not wait for it", f"add `{maker.id}` to its `needs`"


class _Outputs(Mapping[str, StepScope]):
    """The declared outputs of all steps, as expressions see them, each made when looked at."""

    __slots__ = ("_resolver",)

    def __init__(self, resolver: _Resolver) -> None:
        self._resolver = resolver

    def __getitem__(self, name: str) -> StepScope:
        group = self._resolver.by_id[name]
        if len(group) != 1:
            raise KeyError(name)
        return StepScope(out=self._resolver.nodes[group[0]].outputs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._resolver.by_id)

    def __len__(self) -> int:
        return len(self._resolver.by_id)
