"""What a rollout in Kubernetes really does: progressing, done, or failed, and then why, where and what to do.

Judges what pods, ReplicaSets and events say now, not what a Deployment says at its deadline. What is certain to fail is
said at once; what may mend itself (a registry that does not answer, no room on any node) after the patience for it.
Only the newest revision's pods count: the old ones serve on, and keep a failed Deployment `Available`. Does not know
how objects are fetched (see `cluster` for what they hold), nor what a container printed: it says whose words to read.
"""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from headway.core import pods_words as w
from headway.core.cluster import Condition, Container, Event, Pod, ReplicaSet, Terminated, View, condition, seconds

REVISION = "deployment.kubernetes.io/revision"


class Patience(Struct, frozen=True, kw_only=True):
    """How long, in seconds, what may mend itself is waited for."""

    pull_s: float = 20.0
    """An image whose registry gave no clear answer."""
    schedule_s: float = 20.0
    """A pod for which no node has room; not counted while a new node is on its way."""
    mount_s: float = 20.0
    """A volume that cannot be mounted, and pods that cannot be created, for no clear reason."""
    ends: int = 2
    """How often a container may end before that is a crash loop."""
    recent_s: float = 600.0
    """A container that is ready and ended longer ago than this is well."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something that keeps pods from being ready. `is_certain`: waiting longer will not help.

    `pod` and `container` printed what tells more; `is_previous`: the run of it before this one did.
    """

    reason: w.Reason
    problem: str
    remedy: str
    is_certain: bool
    pod: str = ""
    container: str = ""
    is_previous: bool = False


class Verdict(Struct, frozen=True, kw_only=True):
    """What a rollout does now. `found` is why it failed, or what it waits for; `n_old_ready` still serve meanwhile."""

    phase: Literal["progressing", "done", "failed"]
    told: str
    n_wanted: int
    n_ready: int
    n_old_ready: int = 0
    found: Finding | None = None


def judge(view: View, *, now: float, patience: Patience | None = None) -> Verdict:
    """The verdict on a Deployment's newest revision at `now` (UTC seconds)."""
    deployment, status = view.deployment, view.deployment.status
    wanted = deployment.spec.replicas
    newest = _newest(view)
    if status.observed_generation < deployment.metadata.generation or newest is None:
        told = "the cluster has not looked at it yet"
        return Verdict(phase="progressing", told=told, n_wanted=wanted, n_ready=0, n_old_ready=_n_ready(view, None))
    look = _Look(view, newest, now, patience or Patience())
    n_ready, n_old = sum(pod.is_ready for pod in look.pods), _n_ready(view, newest)
    found = min(look.findings(), key=lambda finding: not finding.is_certain, default=None)
    late = condition(status.conditions, "Progressing")
    is_late = late is not None and late.status == "False" and late.reason == "ProgressDeadlineExceeded"
    phase: Literal["progressing", "done", "failed"] = "progressing"
    if found is not None and found.is_certain:
        phase, told = "failed", found.problem
    elif is_late:
        found = found or Finding(reason="deadline", is_certain=True, problem=w.LATE, remedy=w.REMEDIES["deadline"])
        phase, told = "failed", found.problem
    elif _is_done(view, wanted):
        phase, told, found = "done", f"{n_ready} of {wanted} ready", None
    else:
        told = found.problem if found is not None else f"{n_ready} of {wanted} ready"
    return Verdict(phase=phase, told=told, n_wanted=wanted, n_ready=n_ready, n_old_ready=n_old, found=found)


def _is_done(view: View, wanted: int) -> bool:
    # As `kubectl rollout status` has it: all are of the new revision, none of the old is left, all are available.
    status = view.deployment.status
    if view.deployment.spec.paused:
        return False
    return status.updated_replicas == status.replicas == status.available_replicas == wanted


def _newest(view: View) -> ReplicaSet | None:
    meta = view.deployment.metadata
    revision = meta.annotations.get(REVISION)
    return next(
        (
            one
            for one in view.replica_sets
            if any(owner.uid == meta.uid for owner in one.metadata.owner_references)
            and revision is not None
            and one.metadata.annotations.get(REVISION) == revision
        ),
        None,
    )


def _n_ready(view: View, but: ReplicaSet | None) -> int:
    mine = {
        one.metadata.uid
        for one in view.replica_sets
        if one is not but and any(owner.uid == view.deployment.metadata.uid for owner in one.metadata.owner_references)
    }
    return sum(pod.is_ready and any(o.uid in mine for o in pod.metadata.owner_references) for pod in view.pods)


class _Look:
    """One look at the newest revision: its pods, their events by uid, and what is found among them."""

    __slots__ = ("_events", "_newest", "_now", "_patience", "pods")

    def __init__(self, view: View, newest: ReplicaSet, now: float, patience: Patience) -> None:
        self._newest, self._now, self._patience = newest, now, patience
        self.pods = [
            pod
            for pod in view.pods
            if pod.metadata.deletion_timestamp is None
            and any(owner.uid == newest.metadata.uid for owner in pod.metadata.owner_references)
        ]
        self._events: dict[str, list[Event]] = {}
        for event in view.events:
            self._events.setdefault(event.involved_object.uid, []).append(event)

    def findings(self) -> Iterator[Finding]:
        """All that is found, of each pod what keeps it first."""
        yield from self._not_created()
        for pod in self.pods:
            yield from self._of_pod(pod)

    def _waited(self, since: str | None, patience_s: float) -> bool:
        began = seconds(since)
        return began is not None and self._now - began >= patience_s

    def _not_created(self) -> Iterator[Finding]:
        failure = condition(self._newest.status.conditions, "ReplicaFailure")
        if failure is None or failure.status != "True" or failure.reason != "FailedCreate":
            return
        reason: w.Reason = "quota" if "exceeded quota" in failure.message else "not-created"
        is_clear = any(word in failure.message for word in w.REFUSALS)
        yield Finding(
            reason=reason,
            problem=f"pods cannot be created: {failure.message}",
            remedy=w.REMEDIES[reason],
            is_certain=is_clear or self._waited(failure.last_transition_time, self._patience.mount_s),
        )

    def _of_pod(self, pod: Pod) -> Iterator[Finding]:
        status = pod.status
        if status.phase == "Failed" and status.reason:
            yield _finding("evicted", pod, f"it was ended: {status.reason}: {status.message}", is_certain=False)
            return
        placed = condition(status.conditions, "PodScheduled")
        if placed is not None and placed.status == "False" and placed.reason == "Unschedulable":
            yield self._unschedulable(pod, placed)
            return
        for container in status.init_container_statuses:
            yield from self._of_container(pod, container, is_init=True)
        for container in status.container_statuses:
            yield from self._of_container(pod, container, is_init=False)
        yield from self._unmounted(pod)

    def _unschedulable(self, pod: Pod, placed: Condition) -> Finding:
        is_growing = any(event.reason == "TriggeredScaleUp" for event in self._of(pod))
        waited = self._waited(placed.last_transition_time or pod.metadata.creation_timestamp, self._patience.schedule_s)
        why = placed.message.partition(" preemption:")[0].rstrip(".")
        return _finding("unschedulable", pod, f"no node takes it: {why}", is_certain=waited and not is_growing)

    def _unmounted(self, pod: Pod) -> Iterator[Finding]:
        if any(c.state.running or c.restart_count for c in pod.status.container_statuses):
            return
        for event in self._of(pod):
            if event.reason not in ("FailedMount", "FailedAttachVolume") or w.SYNCING in event.message:
                continue
            # A secret that is made a moment after its Deployment is no fault.
            is_clear = "not found" in event.message and event.n_times > 2
            waited = self._waited(pod.metadata.creation_timestamp, self._patience.mount_s)
            told = f"a volume is missing: {event.message}"
            yield _finding("volume", pod, told, is_certain=is_clear or (waited and event.n_times > 1))
            return

    def _of_container(self, pod: Pod, container: Container, *, is_init: bool) -> Iterator[Finding]:
        waiting = container.state.waiting
        if waiting is not None and waiting.reason == "InvalidImageName":
            yield _finding("image-name", pod, waiting.message, is_certain=True, container=container)
        elif waiting is not None and waiting.reason in w.PULLING:
            is_clear = any(word in waiting.message for word in w.NO_SUCH_IMAGE)
            waited = self._waited(pod.metadata.creation_timestamp, self._patience.pull_s)
            told = f"its image cannot be pulled: {w.cause(waiting.message)}"
            yield _finding("image", pod, told, is_certain=is_clear or waited, container=container)
        elif waiting is not None and waiting.reason in w.CONFIG and w.SYNCING not in waiting.message:
            told = f"{container.name} cannot be made: {waiting.message}"
            # A runtime that stumbles once may not a second time.
            is_clear = waiting.reason == "CreateContainerConfigError" or any(word in waiting.message for word in w.NONE)
            again = container.restart_count + 1 >= self._patience.ends
            yield _finding("config", pod, told, is_certain=is_clear or again, container=container)
        else:
            yield from self._of_ends(pod, container, is_init=is_init)

    def _of_ends(self, pod: Pod, container: Container, *, is_init: bool) -> Iterator[Finding]:
        state, ended = container.state, container.state.terminated
        if is_init and ended is not None and ended.exit_code == 0:
            return
        last = ended or container.last_state.terminated
        # A start is counted when it is made: one that is waited for is not yet, and the end before it is.
        n_ends = container.restart_count + (state.running is None)
        if last is None:
            yield from self._unready(pod, container)
            return
        if container.ready and self._waited(last.finished_at, self._patience.recent_s):
            return
        reason = self._why_ended(pod, last, is_init=is_init)
        how = w.ended(container.name, reason, last, self._probe(pod), n_ends)
        # Nobody's memory grows between two starts: once is enough.
        is_certain = reason == "memory" or n_ends >= self._patience.ends
        # While it waits for its next start, the logs of this start are those of the one before.
        is_previous = state.running is not None
        yield _finding(reason, pod, how, is_certain=is_certain, container=container, is_previous=is_previous)

    def _why_ended(self, pod: Pod, last: Terminated, *, is_init: bool) -> w.Reason:
        if last.reason == "OOMKilled":
            return "memory"
        if last.exit_code in (137, 143) and self._probe(pod):
            return "probe"
        return "init" if is_init else "crash"

    def _probe(self, pod: Pod) -> str:
        """What the probe that kills a container said last; empty when none failed."""
        unhealthy = [e.message for e in self._of(pod) if e.reason == "Unhealthy"]
        return next((m for m in reversed(unhealthy) if m.startswith(("Liveness", "Startup"))), "")

    def _unready(self, pod: Pod, container: Container) -> Iterator[Finding]:
        if container.ready or container.state.running is None:
            return
        said = [event.message for event in self._of(pod) if event.reason == "Unhealthy"]
        told = f"{container.name} runs and is not ready" + (f": {said[-1]}" if said else "")
        yield _finding("unready", pod, told, is_certain=False, container=container)

    def _of(self, pod: Pod) -> list[Event]:
        return self._events.get(pod.metadata.uid, [])


def _finding(
    reason: w.Reason,
    pod: Pod,
    told: str,
    *,
    is_certain: bool,
    container: Container | None = None,
    is_previous: bool = False,
) -> Finding:
    return Finding(
        reason=reason,
        problem=f"pod {pod.metadata.name}: {told}",
        remedy=w.REMEDIES[reason],
        is_certain=is_certain,
        pod=pod.metadata.name,
        container=container.name if container is not None and reason in w.SPEAKS else "",
        is_previous=is_previous,
    )
