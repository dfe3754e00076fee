"""Every recorded rollout of a real Kubernetes is judged rightly, early, and never otherwise afterwards."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from clusters import start_at, views
from headway.core.cluster import Deployment, Event, Pod, ReplicaSet, View
from headway.core.pods import Patience, Verdict, judge
from headway.core.pods_words import REMEDIES

AT = 1_700_000_000.0


def told(name: str, *, after: float = 0.0) -> list[tuple[float, Verdict]]:
    """The verdict after each line of a recording, from `after` seconds on, when the update was there."""
    return [
        (t, judge(view, now=start_at(name) + t))
        for t, view in views(name)
        if t >= after and (not after or view.deployment.metadata.generation > 1)
    ]


FAILURES = {
    # recording: (seconds after which the update came, reason, seconds until it is named, what is named, container)
    "crash-at-start": (0.0, "crash", 4.0, "server ended with exit code 3, 2 times", "server"),
    "image-missing": (0.0, "image", 15.0, "registry.local:5000/web:missing: not found", ""),
    "image-registry-unreachable": (0.0, "image", 25.0, "i/o timeout", ""),
    "image-invalid-name": (0.0, "image-name", 3.0, "must be lowercase", ""),
    "oom-killed": (0.0, "memory", 2.0, "more memory than its limit", "server"),
    "init-container-fails": (0.0, "init", 3.0, "pull-model ended with exit code 4, 2 times", "pull-model"),
    "liveness-kills-slow-start": (0.0, "probe", 12.0, "connect: connection refused", "server"),
    "startup-probe-slow-start": (0.0, "config", 18.0, "OCI runtime create failed", ""),
    "never-ready": (0.0, "unready", 23.0, "HTTP probe failed with statuscode: 503", "server"),
    "unschedulable-cpu-gpu": (0.0, "unschedulable", 23.0, "Insufficient nvidia.com/gpu", ""),
    "missing-configmap": (0.0, "config", 2.0, 'configmap "nope" not found', ""),
    "missing-secret-volume": (0.0, "volume", 5.0, 'secret "nope" not found', ""),
    "quota-exceeded": (0.0, "quota", 3.0, "exceeded quota: q", ""),
    "update-bad-image-keeps-old": (12.3, "image", 3.0, "web:missing: not found", ""),
    "update-crash-keeps-old-then-undo": (12.3, "crash", 3.0, "ended with exit code 3, 2 times", "server"),
}
UNDONE_AT = 45.0


@pytest.mark.parametrize("name", FAILURES)
def test_each_broken_rollout_is_named_within_seconds_of_being_certain_and_stays_failed(name: str) -> None:
    began, reason, within, words, container = FAILURES[name]
    until = UNDONE_AT if name.endswith("undo") else 1e9
    seen = [(t, verdict) for t, verdict in told(name, after=began) if t < until]
    first = next(i for i, (_, verdict) in enumerate(seen) if verdict.phase == "failed")
    assert seen[first][0] - began <= within
    failed = seen[first:]
    assert {verdict.phase for _, verdict in failed} == {"failed"}
    found = failed[0][1].found
    assert found is not None
    assert (found.reason, found.container) == (reason, container)
    assert words in found.problem
    assert found.remedy == REMEDIES[found.reason]
    # Without a readiness probe it is called ready before it is killed: that one is the recording's own fault.
    assert all(verdict.phase == "progressing" for _, verdict in seen[:first]) or name == "liveness-kills-slow-start"


GOOD = {"rollout-good": 1, "update-good": 1, "scale-and-delete": 3}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_rollout_ends_and_is_never_called_failed(name: str) -> None:
    phases = [verdict.phase for _, verdict in told(name)]
    assert "failed" not in phases
    assert list(pairwise(phases)).count(("progressing", "done")) == GOOD[name]
    assert phases[-1] == "done"


def test_a_failed_update_says_how_many_of_the_old_still_serve() -> None:
    _, last = told("update-bad-image-keeps-old")[-1]
    assert (last.phase, last.n_ready, last.n_wanted, last.n_old_ready) == ("failed", 0, 2, 2)
    (view,) = [view for t, view in views("update-bad-image-keeps-old")][-1:]
    assert [(c.type, c.status) for c in view.deployment.status.conditions if c.type == "Available"] == [
        ("Available", "True")
    ]


def test_an_update_that_is_undone_is_done_again() -> None:
    phases = [verdict.phase for _, verdict in told("update-crash-keeps-old-then-undo", after=UNDONE_AT)]
    assert (phases[0], phases[-1]) == ("progressing", "done")
    assert "failed" not in phases


def test_a_good_rollout_is_waited_for_while_its_probes_still_fail() -> None:
    waits = [verdict.found for _, verdict in told("rollout-good") if verdict.phase == "progressing" and verdict.found]
    assert {found.reason for found in waits} == {"unready"}
    assert not any(found.is_certain for found in waits)


def test_a_container_that_runs_again_has_its_last_words_in_the_run_before() -> None:
    found = [verdict.found for _, verdict in told("liveness-kills-slow-start") if verdict.phase == "failed"]
    assert {f.is_previous for f in found if f is not None} == {True, False}
    crash = next(v.found for _, v in told("crash-at-start") if v.phase == "failed")
    assert crash is not None
    assert not crash.is_previous


# --- what the recordings do not hold --------------------------------------------------------------------------------


def view(
    pod_status: dict[str, Any],
    *events: tuple[str, str, int],
    replica_set: object = None,
    **status: object,
) -> View:
    """A Deployment whose one new pod has this status, and these events (reason, message, count)."""
    of = {"ownerReferences": [{"uid": "d"}]}
    meta = {"name": "m", "uid": "d", "generation": 1, "annotations": {"deployment.kubernetes.io/revision": "1"}}
    stamp = "2023-11-14T22:13:20Z"
    pod = {"name": "p", "uid": "p", "creationTimestamp": stamp, "ownerReferences": [{"uid": "r"}]}
    return View(
        deployment=msgspec.convert({"metadata": meta, "status": {"observedGeneration": 1, **status}}, Deployment),
        replica_sets=(
            msgspec.convert({"metadata": {**meta, **of, "uid": "r"}, "status": replica_set or {}}, ReplicaSet),
        ),
        pods=(msgspec.convert({"metadata": pod, "status": pod_status}, Pod),),
        events=tuple(
            msgspec.convert({"involvedObject": {"uid": "p"}, "reason": r, "message": m, "count": n}, Event)
            for r, m, n in events
        ),
    )


def container(**state: object) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "server", **state}]}


UNSCHEDULABLE = {
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]
}


def test_a_pod_whose_node_is_on_its_way_is_waited_for() -> None:
    assert judge(view(UNSCHEDULABLE), now=AT + 60).phase == "failed"
    growing = view(UNSCHEDULABLE, ("TriggeredScaleUp", "pod triggered scale-up: [{group 1->2 (max: 5)}]", 1))
    assert judge(growing, now=AT + 60).phase == "progressing"


def test_patience_decides_what_may_mend_itself() -> None:
    assert judge(view(UNSCHEDULABLE), now=AT + 19).phase == "progressing"
    assert judge(view(UNSCHEDULABLE), now=AT + 60, patience=Patience(schedule_s=300)).phase == "progressing"


def test_a_kubelet_that_has_not_read_a_secret_yet_is_no_fault() -> None:
    message = "failed to sync secret cache: timed out waiting for the condition"
    waiting = container(state={"waiting": {"reason": "CreateContainerConfigError", "message": message}})
    assert judge(view(waiting), now=AT + 5).phase == "progressing"
    creating = container(state={"waiting": {"reason": "ContainerCreating"}})
    assert judge(view(creating, ("FailedMount", f"MountVolume.SetUp failed: {message}", 9)), now=AT + 60).found is None


def test_a_single_crash_is_no_loop_and_two_are() -> None:
    once = container(restartCount=0, state={"terminated": {"exitCode": 1}})
    assert judge(view(once), now=AT).phase == "progressing"
    backing = {"waiting": {"reason": "CrashLoopBackOff"}}
    twice = container(restartCount=1, state=backing, lastState={"terminated": {"exitCode": 1}})
    assert judge(view(twice), now=AT).phase == "failed"


def test_restarts_of_long_ago_do_not_fail_what_is_ready_now() -> None:
    old = {"terminated": {"exitCode": 1, "finishedAt": "2023-11-14T22:13:20Z"}}
    ready = container(restartCount=7, ready=True, state={"running": {}}, lastState=old)
    counts = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    assert judge(view(ready, **counts), now=AT + 10).phase == "failed"
    assert judge(view(ready, **counts), now=AT + 3600).phase == "done"


def test_the_last_words_in_the_status_are_told() -> None:
    said = container(restartCount=1, state={"terminated": {"exitCode": 1, "message": "no such model\n"}})
    assert judge(view(said), now=AT).told == "pod p: server ended with exit code 1, 2 times: no such model"


def test_a_deadline_without_any_sign_is_named_as_such() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    verdict = judge(view({}, conditions=[late]), now=AT)
    assert verdict.found is not None
    assert (verdict.phase, verdict.found.reason) == ("failed", "deadline")


def test_a_server_that_refuses_pods_for_now_is_given_time() -> None:
    stamp = "2023-11-14T22:13:20Z"
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "lastTransitionTime": stamp}
    busy = {"conditions": [{**condition, "message": "Internal error: failed calling webhook: deadline exceeded"}]}
    assert judge(view({}, replica_set=busy), now=AT + 5).phase == "progressing"
    assert judge(view({}, replica_set=busy), now=AT + 25).phase == "failed"
    never = {"conditions": [{**condition, "message": 'pods "m-1" is forbidden: violates PodSecurity "restricted"'}]}
    assert judge(view({}, replica_set=never), now=AT).phase == "failed"


def test_a_paused_deployment_is_not_done() -> None:
    done = view({}, replicas=1, updatedReplicas=1, availableReplicas=1)
    paused = msgspec.structs.replace(done.deployment.spec, paused=True)
    assert judge(done, now=AT).phase == "done"
    deployment = msgspec.structs.replace(done.deployment, spec=paused)
    assert judge(msgspec.structs.replace(done, deployment=deployment), now=AT).phase == "progressing"
