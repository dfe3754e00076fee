"""Nothing untested ships: looked at before a release starts anything, and again when its version is up without traffic.

`admit` asks for a passing verdict and for files that are what their digests say. `questions` and `put` ask the started
version real predictions: golden requests, within their bounds, and the rows that it answered before it was released.
Neighbours: `core/vetting` decides, `release` and `rollout` call this, `models_trust` looks at signatures and files.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from headway.codec.golden import read_golden
from headway.core.facts import GoldenAnswered, ModelJudged, ModelRegistered, ReleaseStarted
from headway.core.golden import GoldenReply, GoldenRequest, judge
from headway.core.ids import ModelRef
from headway.core.kept_answers import TOLERANCE, Compared, KeptAnswers, compare
from headway.core.registry import Model
from headway.core.rollout_order import Order
from headway.core.signature import Signature
from headway.core.signing import Trust
from headway.core.vetting import ASKS, MOST_TOLD, bound_of, broken_promise, doubt, late, may_override
from headway.errors import BlobDamaged, BlobMissing, VersionUnproven
from headway.flows import gate_show, models_trust, registry
from headway.flows.quicker import conversion
from headway.ports import Answer, Blobs, Log

AT_ONCE = 16
"""Rows that are asked in one request, at most: as many as clients ask at once, and some."""

REQUEST_MS = 5_000.0
"""How long one such request may take: a slow model is asked fewer rows at once, for servers give up on long ones."""

ALL_MS = 60_000.0
"""How long all of them may take: of a slow model fewer rows are asked, at least one, evenly taken."""


class World(Protocol):
    """What is needed of what a release works with."""

    @property
    def log(self) -> Log:
        """The facts."""

    @property
    def blobs(self) -> Blobs:
        """The content."""

    @property
    def trust(self) -> Trust:
        """Whose signatures count."""

    @property
    def models(self) -> str:
        """The folder of files of versions that are served."""

    @property
    def by(self) -> str:
        """Who asks."""

    @property
    def may_override(self) -> tuple[str, ...] | None:
        """Who may release what no gate let pass; None: whoever asks."""


# --- before anything starts -------------------------------------------------------------------------------------


def admit(world: World, order: Order, *, serving: ReleaseStarted | None) -> None:
    """Refuse a version that no gate let pass, or whose files are not what was registered.

    One that serves there already (`serving`) was let through before. A version that is not there is told by whoever
    starts it. Raises VersionUnproven, SignatureRefused, ModelUntrusted, ExtraMissing, BlobMissing, BlobDamaged.
    """
    model = registry.read(world.log, order.model)
    made = model.resolve(ModelRef(name=order.model, version=order.version))
    if made is None:
        return
    models_trust.see(world.log, world.blobs, made, world.trust)
    is_there = serving is not None and (serving.model, serving.version) == (order.model, order.version)
    why = "" if is_there else _doubt(world, model, made)
    if why:
        _refuse_unless_overridden(world, order, why)
    _whole(world, made)


def unproven(world: World, name: str, version: int) -> str:
    """Why a release of this version would be refused for want of a passing verdict; empty when it would not be."""
    model = registry.read(world.log, name)
    made = model.resolve(ModelRef(name=name, version=version))
    return "" if made is None else _doubt(world, model, made)


def _doubt(world: World, model: Model, made: ModelRegistered) -> str:
    """Why there is no passing verdict on a version; empty when there is one."""
    # A signature is of what was registered alone.
    said: ModelRegistered | ModelJudged = made if world.trust.is_required else model.judged(made.version)
    if said.verdict is None:
        return "no gate judged it"
    try:
        why = doubt(gate_show.read(said.verdict, world.blobs), made.artifact.digest)
    except (BlobMissing, BlobDamaged) as e:
        return f"its verdict cannot be read: {e.problem}"
    return why or (_of_strangers(world, model, made) if said is made and made.origin is not None else "")


def _of_strangers(world: World, model: Model, made: ModelRegistered) -> str:
    """A verdict that came with an export is worth what vouches for it."""
    signatures = models_trust.look(world.log, world.blobs, made, world.trust)
    vouched = any(one.is_right and one.is_trusted for one in signatures) or model.is_trusted(made.version)
    return "" if vouched else "its verdict came with it from another project, and no trusted key signed it"


def _refuse_unless_overridden(world: World, order: Order, why: str) -> None:
    name, by = f"{order.model}@{order.version}", order.by or world.by
    if order.override and may_override(by, world.may_override):
        return
    at = f"endpoint: {order.endpoint}"
    if order.override:
        named = ", ".join(world.may_override or ()) or "nobody"
        raise VersionUnproven(
            f"{name} is not released: {why}; and {by or 'whoever asks'} may not override that",
            at=at,
            remedy=f"headway.toml names who may (release.override): {named}; or let it pass a gate (docs/gates.md)",
        )
    raise VersionUnproven(
        f"{name} is not released: {why}",
        at=at,
        remedy="let it pass a gate: a `gate` step before the `register` step (docs/gates.md); or say why you answer "
        'for it, which is recorded: --override "REASON", or `override: REASON` in a deploy step',
    )


_STATES = {"missing": "is not there", "damaged": "does not hold what was registered"}


def _whole(world: World, made: ModelRegistered) -> None:
    """Every file of a version is what its digest says, in the store and where a copy of it may be served from."""
    found = models_trust.verify(world.log, world.blobs, made, world.trust, copies=world.models)
    # What is only told of a version can be lost, and the version is the same.
    faults = [fault for fault in found.faults if not fault.path.startswith("(")]
    if not faults:
        return
    first, name = faults[0], f"{made.model}@{made.version}"
    more = f" and {len(faults) - 1} more of its files" if len(faults) > 1 else ""
    is_copy = any(fault.where != "the store" for fault in faults)
    raise (BlobMissing if first.what == "missing" else BlobDamaged)(
        f"{name} is not released: {first.path}{more} in {first.where} {_STATES[first.what]}",
        at=f"model: {name}",
        remedy="delete that copy and release again: it is laid out anew"
        if is_copy
        else f"get its content back: headway fetch {name} (from the remote), or register the model again",
    )


# --- when the version is up, without traffic --------------------------------------------------------------------


class Questions(Struct, frozen=True, kw_only=True):
    """What a started version is asked. `why_not` is why it is not compared with what it answered before."""

    release: ReleaseStarted
    golden: tuple[GoldenRequest, ...] = ()
    signature: Signature = Signature()
    kept: KeptAnswers = KeptAnswers()
    tolerance: float = TOLERANCE
    why_not: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to ask."""
        return not self.golden and not self.kept.rows


Ask = Callable[[Sequence[bytes]], Sequence[Answer]]
"""Sends requests to the version and gives its answers, in order."""


def questions(world: World, release: ReleaseStarted) -> Questions:
    """What is asked of a release's version before it takes over. Raises BlobMissing, BlobDamaged (golden requests)."""
    golden: tuple[GoldenRequest, ...] = ()
    if release.golden is not None:
        golden = read_golden(world.blobs.get(release.golden), file="golden requests")
    model = registry.read(world.log, release.model)
    made = model.resolve(ModelRef(name=release.model, version=release.version))
    if made is None:
        return Questions(release=release, golden=golden)
    kept, why = _kept(world, model, made)
    onnx = conversion(world.log, made, world.trust)
    return Questions(
        release=release,
        golden=golden,
        signature=made.signature,
        kept=kept,
        tolerance=max(TOLERANCE, onnx.tolerance if onnx is not None else 0.0),
        why_not=why,
    )


def _kept(world: World, model: Model, made: ModelRegistered) -> tuple[KeptAnswers, str]:
    """What it answered before, with the columns that its server takes; why there is nothing, if there is not."""
    digest = model.judged(made.version).answers or made.answers
    if digest is None:
        return KeptAnswers(), "no gate and no rows at its registration kept any"
    try:
        kept = msgspec.json.decode(world.blobs.get(digest), type=KeptAnswers)
    except (BlobMissing, BlobDamaged, msgspec.MsgspecError):
        return KeptAnswers(), "what was kept of them cannot be read"
    columns = made.signature.columns
    if not kept.rows:
        return KeptAnswers(), kept.why
    if lacking := [name for name in columns if name not in kept.rows[0]]:
        return KeptAnswers(), f"the rows that were kept lack {lacking[0]}, which it takes"
    if kept.by == "file" and not columns:
        return KeptAnswers(), "which columns it takes is not known; register it with `data`"
    if columns:
        kept = msgspec.structs.replace(kept, rows=[{name: row[name] for name in columns} for row in kept.rows])
    return kept, ""


def put(asked: Questions, ask: Ask) -> GoldenAnswered:
    """Ask the version, and judge. Raises what `ask` raises."""
    answers, faults = _golden(asked, ask)
    same = _compared(asked, ask)
    return GoldenAnswered(
        release=asked.release.release,
        n_requests=len(asked.golden),
        n_wrong=len(faults),
        wrong=tuple(faults[:MOST_TOLD]),
        slowest_ms=round(max((one.ms for one in answers), default=0.0), 3),
        n_compared=same.n_rows,
        n_unlike=len(same.unlike),
        unlike=same.unlike[:MOST_TOLD],
        compared_by=asked.kept.by if same.n_rows else "",
        max_difference=same.max_difference,
        not_compared=asked.why_not,
    )


def _golden(asked: Questions, ask: Ask) -> tuple[Sequence[Answer], list[str]]:
    """The answers to the golden requests, and what is wrong with them."""
    if not asked.golden:
        return (), []
    within_ms = asked.release.within_ms
    bodies = [msgspec.json.encode({"inputs": one.inputs}) for one in asked.golden]
    answers = ask(bodies)
    taken = [[one.ms] for one in answers]
    timed = [at for at, one in enumerate(asked.golden) if bound_of(one, within_ms)]
    for _ in range(ASKS - 1 if timed else 0):
        for at, again in zip(timed, ask([bodies[at] for at in timed]), strict=True):
            taken[at].append(again.ms)
    faults = []
    for at, (one, answer) in enumerate(zip(asked.golden, answers, strict=True)):
        fault = _fault(asked, one, answer) or late(taken[at], bound_of(one, within_ms))
        if fault:
            faults.append(f"request {at + 1}: {fault}")
    return answers, faults


def _fault(asked: Questions, one: GoldenRequest, answer: Answer) -> str:
    reply = _reply(answer)
    if isinstance(reply, str):
        return reply
    return judge(one, reply) or broken_promise(asked.signature, reply)


def _reply(answer: Answer) -> GoldenReply | str:
    """An answer's content, or what is wrong with it."""
    if answer.status != 200:
        return f"was refused with status {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}"
    try:
        return msgspec.json.decode(answer.body, type=GoldenReply)
    except msgspec.DecodeError as e:
        return f"its answer is not understood: {e}"


def _compared(asked: Questions, ask: Ask) -> Compared:
    """The rows of before, asked again: some at a time, and one by one where some of them are refused."""
    found = Compared(n_rows=0)
    if not asked.kept.rows:
        return found
    row_ms = _row_ms(asked.kept, ask)
    kept = asked.kept.evenly(max(1, int(ALL_MS / row_ms)))
    at_once = max(1, min(AT_ONCE, int(REQUEST_MS / row_ms)))
    parts = [(first, kept.some(first, at_once)) for first in range(0, len(kept.rows), at_once)]
    answers = ask([_body(part) for _, part in parts])
    for (first, part), answer in zip(parts, answers, strict=True):
        reply = _reply(answer)
        if isinstance(reply, GoldenReply):
            found = found.with_(compare(part, reply, first=first, tolerance=asked.tolerance))
        else:
            found = found.with_(_one_by_one(asked, ask, first, part))
    return found


def _row_ms(kept: KeptAnswers, ask: Ask) -> float:
    """How long a row takes: the quicker of two asks, for the first may have to make something ready."""
    body = _body(kept.some(0, 1))
    return max(0.001, min(answer.ms for answer in ask([body, body])))


def _one_by_one(asked: Questions, ask: Ask, first: int, part: KeptAnswers) -> Compared:
    found = Compared(n_rows=0)
    rows = [part.some(at, 1) for at in range(len(part.rows))]
    for at, (row, answer) in enumerate(zip(rows, ask([_body(row) for row in rows]), strict=True), start=first):
        reply = _reply(answer)
        if isinstance(reply, GoldenReply):
            found = found.with_(compare(row, reply, first=at, tolerance=asked.tolerance))
        else:
            found = found.with_(Compared(n_rows=1, unlike=(f"row {at}: {reply}",)))
    return found


def _body(rows: KeptAnswers) -> bytes:
    return msgspec.json.encode({"inputs": rows.rows})
