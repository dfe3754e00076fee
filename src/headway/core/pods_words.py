"""The words of a rollout that fails: the reasons there are, what each is known by, and what to do about it."""

from typing import Literal

from headway.core.cluster import Terminated

Reason = Literal[
    "image", "image-name", "config", "volume", "crash", "memory", "probe", "init",
    "unschedulable", "quota", "not-created", "evicted", "unready", "deadline",
]  # fmt: skip

SPEAKS = frozenset(("crash", "memory", "probe", "init", "unready"))
"""Where a container ran, so that what it printed tells more."""

PULLING = frozenset(("ErrImagePull", "ImagePullBackOff"))
CONFIG = frozenset(("CreateContainerConfigError", "CreateContainerError", "RunContainerError"))

SYNCING = "failed to sync"
"""A kubelet that has not read a secret or config map yet: it will."""

NO_SUCH_IMAGE = (
    "not found", "manifest unknown", "name unknown", "denied", "unauthorized", "Unauthorized", "403 Forbidden",
    "no match for platform",
)  # fmt: skip
"""What a registry says that will say the same again. A registry that is not there says none of it."""

NONE = ("executable file not found", "no such file or directory", "permission denied")
"""What a runtime says of a command that no second try will find."""

REFUSALS = ("is forbidden", "exceeded quota", "Invalid value", "denied the request", "is invalid")
"""What a server says of a pod that it will never make."""

LATE = "it was not ready in time, and no pod says why"

REMEDIES: dict[Reason, str] = {
    "image": "push the image, mend its name, or give the cluster the right to pull it (imagePullSecrets)",
    "image-name": "mend the image's name: registry/name:tag, in lower case",
    "config": "make the config map or secret that it names, or mend the command, and deploy again",
    "volume": "make the secret, config map or claim that the volume names, and deploy again",
    "crash": "mend what it says; the same image and model can be tried here with `headway serve`",
    "memory": "raise `memory`, or serve a smaller model",
    "probe": "give it more time to start (`start-s`): probes ended it before it answered",
    "init": "mend what it says: it brings the model's files before the server starts",
    "unschedulable": "ask for less (`cpu`, `memory`, `gpu`), or give the cluster a node that has it",
    "quota": "raise the namespace's quota, ask for less, or for fewer copies",
    "not-created": "mend what the cluster refuses, and deploy again",
    "evicted": "see the node it was on: it had no memory or disk left for it",
    "unready": "read what it printed: it runs, and its model does not answer",
    "deadline": "look at the namespace's events, or give it more time (`start-s`)",
}


def cause(message: str) -> str:
    """The last part of a chain of messages, which is what happened.

    >>> cause('Back-off pulling image "a:1": ErrImagePull: rpc error: code = NotFound desc = a:1: not found')
    'a:1: not found'
    """
    tail = message.rpartition(" desc = ")[2].rpartition("ErrImagePull: ")[2]
    for lead in ("failed to pull and unpack image ", "failed to resolve reference "):
        if tail.startswith(lead):
            tail = tail.partition('": ')[2] or tail
    return tail


def ended(name: str, reason: Reason, last: Terminated, probe: str, n_ends: int) -> str:
    """How a container ended, and how often."""
    often = f", {n_ends} times" if n_ends > 1 else ""
    if reason == "memory":
        return f"{name} used more memory than its limit and was killed{often}"
    if reason == "probe":
        return f"{name} was killed{often}: {probe}"
    said = f": {last.message.strip()}" if last.message.strip() else ""
    return f"{name} ended with exit code {last.exit_code}{often}{said}"
