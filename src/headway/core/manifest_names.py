"""Names and labels as Kubernetes takes them, from names that people gave: always valid, and never two of one.

An endpoint `Churn_EU.2026` must be reachable under a name of lower-case letters, digits and `-`. What had to be changed
or cut ends in six digits of its hash, so that `a_b` and `a.b` stay apart.
"""

import re
from hashlib import blake2b

from headway.core.problem import Problem

APP = "ml-model"
"""The label `app` of everything that serves a model: `kubectl get pods -l app=ml-model` shows it."""

ENDPOINT, VERSION, MODEL, DIGEST = (f"headway.dev/{word}" for word in ("endpoint", "version", "model", "digest"))

MOST_NAME = 46
"""Letters of a Deployment's name: its pods get 17 more, and a pod's name is that of a host, which has at most 63."""

MOST_LABEL = 63

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_HOST = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUANTITY = re.compile(r"([0-9]+|[0-9]*\.[0-9]+)(m|[kMGTPE]|[KMGTPE]i)?")
_IMAGE = re.compile(
    r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


def endpoint_name(endpoint: str) -> str:
    """The name of an endpoint's Service and route.

    >>> endpoint_name("churn"), endpoint_name("Churn_EU"), endpoint_name("2026")
    ('churn', 'churn-eu-c93349', 'e2026-4ce6f3')
    """
    return _fitting(endpoint, MOST_NAME - 12)


def version_name(endpoint: str, version: int) -> str:
    """The name of all that is one version's.

    >>> version_name("churn", 3)
    'churn-v3'
    """
    return f"{endpoint_name(endpoint)}-v{version}"


def log_name(endpoint: str) -> str:
    """The name of the Secret with the key to the logs of an endpoint's pods.

    >>> log_name("churn")
    'churn-log'
    """
    return f"{endpoint_name(endpoint)}-log"


def _fitting(name: str, most: int) -> str:
    # What ends like a version's name, or like a hash, might be one.
    if len(name) <= most and _NAME.fullmatch(name) and not re.search(r"-v\d+$|-[0-9a-f]{6}$", name):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"e{plain}"
    return f"{plain[: most - 7].rstrip('-')}-{_hash(name)}"


def label_value(text: str) -> str:
    """A text as a label's value.

    >>> label_value("churn"), label_value("a" * 70)[-10:], label_value("")
    ('churn', 'aaa-28cce4', '')
    """
    if not text or (len(text) <= MOST_LABEL and _VALUE.fullmatch(text)):
        return text
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-_.") or "x"
    return f"{plain[: MOST_LABEL - 7].rstrip('-_.')}-{_hash(text)}"


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=3).hexdigest()


def label_faults(labels: dict[str, str]) -> list[Problem]:
    """What is wrong with labels that a person gave.

    >>> [fault.problem for fault in label_faults({"team": "risk", "a b": "c d"})]
    ["'a b' cannot be a label", "'c d' cannot be a label's value"]
    """
    found = []
    for key, value in labels.items():
        if not _KEY.fullmatch(key):
            found.append(_fault(("labels", key), f"{key!r} cannot be a label", "use letters, digits and -_."))
        elif key in (ENDPOINT, VERSION, "app"):
            found.append(_fault(("labels", key), f"the label {key!r} is headway's own", "take another"))
        if len(value) > MOST_LABEL or (value and not _VALUE.fullmatch(value)):
            remedy = "use at most 63 letters, digits and -_."
            found.append(_fault(("labels", key), f"{value!r} cannot be a label's value", remedy))
    return found


def quantity_faults(key: str, text: str) -> list[Problem]:
    """What is wrong with an amount of processors or memory.

    >>> quantity_faults("memory", "512Mi"), [fault.problem for fault in quantity_faults("memory", "12 apples")]
    ([], ["'12 apples' is no amount"])
    """
    if _QUANTITY.fullmatch(text):
        return []
    return [_fault((key,), f"{text!r} is no amount", "write it as in 500m, 2, 512Mi or 4Gi")]


MOST_HOST = 253
"""Letters of an object's name, where nothing else keeps it shorter: that of a host with its domain."""


def name_faults(key: str, name: str, *, is_domain: bool = True) -> list[Problem]:
    """What is wrong with the name of an object that a person gave; `is_domain`: it may have dots, and be longer.

    >>> name_faults("secret", "store.eu"), [fault.problem for fault in name_faults("namespace", "Team_A")]
    ([], ["'Team_A' cannot be a namespace"])
    """
    if (
        _HOST.fullmatch(name)
        and len(name) <= (MOST_HOST if is_domain else MOST_LABEL)
        and (is_domain or "." not in name)
    ):
        return []
    remedy = f"use at most {MOST_HOST if is_domain else MOST_LABEL} letters in lower case, digits and -"
    remedy += ", and dots between them" if is_domain else ""
    return [_fault((key,), f"{name!r} cannot be a {key.replace('-', ' ')}", remedy)]


def image_faults(image: str) -> list[Problem]:
    """What is wrong with the name of an image.

    >>> image_faults("ghcr.io/acme/churn:3"), image_faults("registry.local:5000/web@sha256:" + "0" * 64)
    ([], [])
    >>> [fault.problem for fault in image_faults("Registry/UPPER:1")]
    ["'Registry/UPPER:1' is no name of an image"]
    """
    if _IMAGE.fullmatch(image):
        return []
    return [_fault(("image",), f"{image!r} is no name of an image", "write registry/name:tag, the name in lower case")]


def _fault(path: tuple[str, ...], problem: str, remedy: str) -> Problem:
    return Problem(path=path, problem=problem, remedy=remedy)
