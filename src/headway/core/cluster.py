"""What a Kubernetes API says of a rollout, as far as it is judged: Deployments, ReplicaSets, Pods, Events.

Everything else in an object is passed over. Does not know how objects are fetched, nor what they mean: see `pods`.
"""

from datetime import datetime

from msgspec import Struct, field


class _Said(Struct, frozen=True, kw_only=True, rename="camel"):
    """Part of an object; what the API leaves out has its zero value, as it has there."""


class Owner(_Said, frozen=True, kw_only=True):
    """Whose part an object is."""

    uid: str = ""


class Meta(_Said, frozen=True, kw_only=True):
    """Name and origin of an object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    owner_references: tuple[Owner, ...] = ()


class Condition(_Said, frozen=True, kw_only=True):
    """One thing that is so, is not so, or is unknown, since when, and why."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class DeploymentSpec(_Said, frozen=True, kw_only=True):
    """What was asked for."""

    replicas: int = 1
    paused: bool = False


class DeploymentStatus(_Said, frozen=True, kw_only=True):
    """What the controller counts."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(_Said, frozen=True, kw_only=True):
    """A wish for pods of one kind."""

    metadata: Meta
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class ReplicaSetStatus(_Said, frozen=True, kw_only=True):
    """How many pods of one revision there are."""

    replicas: int = 0
    ready_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class ReplicaSet(_Said, frozen=True, kw_only=True):
    """One revision of a Deployment."""

    metadata: Meta
    status: ReplicaSetStatus = ReplicaSetStatus()


class Waiting(_Said, frozen=True, kw_only=True):
    """Why a container does not run."""

    reason: str = ""
    message: str = ""


class Terminated(_Said, frozen=True, kw_only=True):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    finished_at: str | None = None


class Running(_Said, frozen=True, kw_only=True):
    """That a container runs."""

    started_at: str | None = None


class ContainerState(_Said, frozen=True, kw_only=True):
    """One of three, or none."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class Container(_Said, frozen=True, kw_only=True):
    """A container of a pod; `last_state` is how it ended the time before."""

    name: str
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(_Said, frozen=True, kw_only=True):
    """What became of a pod."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[Container, ...] = ()
    container_statuses: tuple[Container, ...] = ()


class Pod(_Said, frozen=True, kw_only=True):
    """One copy of a model server."""

    metadata: Meta
    status: PodStatus = PodStatus()

    @property
    def is_ready(self) -> bool:
        """Whether it gets traffic."""
        ready = condition(self.status.conditions, "Ready")
        return ready is not None and ready.status == "True" and self.metadata.deletion_timestamp is None


class Involved(_Said, frozen=True, kw_only=True):
    """What an event is about."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class Series(_Said, frozen=True, kw_only=True):
    """How often a newer event came."""

    count: int = 0


class Event(_Said, frozen=True, kw_only=True):
    """Something that a part of the cluster noted, `count` times."""

    metadata: Meta = Meta()
    involved_object: Involved = Involved()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    series: Series | None = None

    @property
    def n_times(self) -> int:
        """How often it came: older events say it in one place, newer ones in another."""
        return self.series.count if self.series is not None else self.count or 1


class View(Struct, frozen=True, kw_only=True):
    """A Deployment and all that was found around it at one time; others' objects may be among them."""

    deployment: Deployment
    replica_sets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    events: tuple[Event, ...] = ()


def condition(conditions: tuple[Condition, ...], kind: str) -> Condition | None:
    """The condition of a type, if it was said."""
    return next((found for found in conditions if found.type == kind), None)


def seconds(stamp: str | None) -> float | None:
    """UTC seconds of a time as the API writes it; None when it says none.

    >>> seconds("1970-01-01T00:01:00Z"), seconds(None)
    (60.0, None)
    """
    if not stamp:
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None
