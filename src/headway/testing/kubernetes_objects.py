"""What a fake Kubernetes keeps: objects with versions, who manages which field, and what it refuses, in its own words.

Server-side apply is as the real one's, for the lists that name their items (containers, ports, mounts); other lists are
one value. Refusals were recorded from 1.33. Knows neither HTTP nor what controllers do.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# Any: objects of the Kubernetes API are open JSON.
Thing = dict[str, Any]
Key = tuple[str, str, str]
"""Its plural, namespace and name."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)")
_CONTAINER = frozenset(
    ("name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "envFrom", "ports", "resources",
     "startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "securityContext", "terminationMessagePath",
     "terminationMessagePolicy", "volumeMounts")
)  # fmt: skip
_MERGED_BY = ("name", "mountPath", "containerPort", "port")

GROUPS = {"Deployment": "apps", "HorizontalPodAutoscaler": "autoscaling", "PodDisruptionBudget": "policy"}


class Refused(Exception):
    """What the server answers instead: a Status."""

    def __init__(self, code: int, reason: str, message: str, details: Thing | None = None) -> None:
        super().__init__(message)
        self.code = code
        status: Thing = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
        self.status = status | {"reason": reason, "details": details or {}, "code": code}


class Objects:
    """The objects. `changed` hears of Deployments and HTTPRoutes that are another wish now. Not thread-safe."""

    def __init__(self, changed: Callable[[Thing], None], now: Callable[[], str]) -> None:
        self.held: dict[Key, Thing] = {}
        self.history: list[tuple[int, str, Key, Thing]] = []
        self.namespaces = {"default"}
        self.version = 1000
        self._owners: dict[Key, dict[str, set[str]]] = {}
        self._changed, self._now = changed, now

    def get(self, key: Key) -> Thing:
        """An object. Raises Refused."""
        if key not in self.held:
            group = "apps" if key[0] in ("deployments", "replicasets") else ""
            named = f"{key[0]}.{group}" if group else key[0]
            details = {"name": key[2], "group": group, "kind": key[0]}
            raise Refused(404, "NotFound", f'{named} "{key[2]}" not found', details)
        return self.held[key]

    def put(self, key: Key, thing: Thing) -> Thing:
        """Keep an object as it is now, under the next version."""
        self.version += 1
        kind = "MODIFIED" if key in self.held else "ADDED"
        thing = copy.deepcopy(thing)
        thing["metadata"]["resourceVersion"] = str(self.version)
        self.held[key] = thing
        self.history.append((self.version, kind, key, thing))
        return thing

    def remove(self, key: Key) -> Thing:
        """Delete an object and all that it owns. Raises Refused."""
        thing = self.get(key)
        del self.held[key]
        self._owners.pop(key, None)
        self.version += 1
        self.history.append((self.version, "DELETED", key, thing))
        uid = thing["metadata"]["uid"]
        for other, below in list(self.held.items()):
            if other in self.held and any(o["uid"] == uid for o in below["metadata"].get("ownerReferences", [])):
                self.remove(other)
        return thing

    def found(self, plural: str, namespace: str, selector: Mapping[str, str]) -> list[Thing]:
        """The objects of a kind that have these labels."""
        return [thing for key, thing in self.held.items() if key[:2] == (plural, namespace) and has(thing, selector)]

    def replace(self, key: Key, thing: Thing) -> Thing:
        """What PUT does: only with the version that was read."""
        now = self.get(key)
        if thing["metadata"].get("resourceVersion") not in (None, now["metadata"]["resourceVersion"]):
            message = (
                f'Operation cannot be fulfilled on {key[0]}.apps "{key[2]}": the object has been modified; '
                "please apply your changes to the latest version and try again"
            )
            raise Refused(409, "Conflict", message, {"name": key[2], "group": "apps", "kind": key[0]})
        return self._kept(key, thing)

    def apply(self, key: Key, asked: Thing, manager: str, *, force: bool, is_dry: bool) -> Thing:
        """Server-side apply. Raises Refused as a cluster does."""
        if key[1] not in self.namespaces:
            details = {"name": key[1], "kind": "namespaces"}
            raise Refused(404, "NotFound", f'namespaces "{key[1]}" not found', details)
        _see_typed(key, asked)
        now = self.held.get(key)
        owners = {path: set(who) for path, who in self._owners.get(key, {}).items()}
        wanted, have = dict(_leaves(asked)), dict(_leaves(now or {}))
        conflicts = {
            path: other
            for path, value in wanted.items()
            for other in sorted(owners.get(path, set()) - {manager})
            if have.get(path) != value
        }
        if conflicts and not force:
            raise _conflict(conflicts)
        dropped = {path for path, who in owners.items() if manager in who and path not in wanted}
        for path in dropped:
            owners[path].discard(manager)
        gone = {path for path in dropped if not owners[path]}
        for path, value in wanted.items():
            owners[path] = {manager} if have.get(path) != value else owners.get(path, set()) | {manager}
        made = _without(_merged(now or {}, asked), gone, "")
        _see_valid(key, made, now)
        if is_dry:
            return _fresh(made, key, self._now(), "0")
        self._owners[key] = {path: who for path, who in owners.items() if who}
        return self._kept(key, made)

    def create(self, key: Key, thing: Thing) -> Thing:
        """What POST does: only what is not there."""
        if key in self.held:
            details = {"name": key[2], "group": "apps", "kind": key[0]}
            raise Refused(409, "AlreadyExists", f'{key[0]}.apps "{key[2]}" already exists', details)
        _see_typed(key, thing)
        _see_valid(key, thing, None)
        return self._kept(key, thing)

    def merge(self, key: Key, patch: Thing, manager: str = "") -> Thing:
        """A JSON merge patch; what a `manager` says is its own then."""
        for path, _ in _leaves(patch) if manager else ():
            self._owners.setdefault(key, {})[path] = {manager}
        return self._kept(key, _merged(self.get(key), patch))

    def _kept(self, key: Key, made: Thing) -> Thing:
        now = self.held.get(key)
        made = _fresh(made, key, self._now(), f"{self.version + 1:08x}-0000-4000-8000-000000000000")
        if now is not None and made == now:
            return now
        if now is None or made.get("spec") != now.get("spec"):
            made["metadata"]["generation"] = made["metadata"].get("generation", 0) + 1
            made = self.put(key, made)
            if key[0] in ("deployments", "httproutes"):
                self._changed(made)
            return made
        return self.put(key, made)


def has(thing: Thing, selector: Mapping[str, str]) -> bool:
    """Whether an object has all these labels."""
    return bool(selector.items() <= thing["metadata"].get("labels", {}).items())


def _fresh(thing: Thing, key: Key, at: str, uid: str) -> Thing:
    meta = {"uid": uid, "creationTimestamp": at, **thing["metadata"], "namespace": key[1], "name": key[2]}
    return {**thing, "metadata": meta}


# Any (here and below): a value of JSON.
def _item_key(item: Any) -> str | None:  # noqa: ANN401 (as above)
    if isinstance(item, dict):
        for name in _MERGED_BY:
            if name in item:
                return f"[{name}={json.dumps(item[name])}]"
    return None


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 (as above)
    if isinstance(value, dict) and value:
        for key, below in value.items():
            if path or key not in ("apiVersion", "kind", "status"):
                yield from _leaves(below, f"{path}.{key}")
    elif isinstance(value, list) and value and all(_item_key(item) for item in value):
        for item in value:
            yield from _leaves(item, f"{path}{_item_key(item)}")
    elif path not in (".metadata.name", ".metadata.namespace"):
        yield path, value


def _merged(now: Any, asked: Any) -> Any:  # noqa: ANN401 (as above)
    if isinstance(now, dict) and isinstance(asked, dict):
        return {**now, **{key: _merged(now.get(key), value) for key, value in asked.items()}}
    if isinstance(now, list) and isinstance(asked, list) and asked and all(_item_key(item) for item in [*now, *asked]):
        by_key = {_item_key(item): item for item in now}
        for item in asked:
            by_key[_item_key(item)] = _merged(by_key.get(_item_key(item)), item)
        return list(by_key.values())
    return copy.deepcopy(asked)


def _without(value: Any, gone: set[str], path: str) -> Any:  # noqa: ANN401 (as above)
    if not gone:
        return value
    if isinstance(value, dict):
        kept = {key: below for key, below in value.items() if f"{path}.{key}" not in gone}
        return {key: _without(below, gone, f"{path}.{key}") for key, below in kept.items()}
    if isinstance(value, list):
        return [
            _without(item, gone, f"{path}{_item_key(item) or ''}") for item in value if not _is_gone(item, gone, path)
        ]
    return value


def _is_gone(item: Any, gone: set[str], path: str) -> bool:  # noqa: ANN401 (as above)
    key = _item_key(item)
    return key is not None and {leaf for leaf, _ in _leaves(item, f"{path}{key}")} <= gone


# --- what it refuses ------------------------------------------------------------------------------------------------


def _conflict(conflicts: Mapping[str, str]) -> Refused:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{who}"', "field": path}
        for path, who in conflicts.items()
    ]
    n = len(causes)
    told = ", ".join(f'conflict with "{who}": {path}' for path, who in conflicts.items())
    message = f"Apply failed with {n} conflict{'s' * (n > 1)}: {told}"
    return Refused(409, "Conflict", message, {"causes": causes})


def _containers(thing: Thing) -> list[Thing]:
    found: list[Thing] = thing.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    return found


def _see_typed(key: Key, asked: Thing) -> None:
    """Fields that are not there and values of another kind are refused before anything is looked at."""
    kind = f"apps/v1, Kind={asked.get('kind')}"
    for container in _containers(asked):
        for field in container.keys() - _CONTAINER:
            path = f'.spec.template.spec.containers[name="{container["name"]}"].{field}'
            message = f"failed to create typed patch object (/{key[2]}; {kind}): {path}: field not declared in schema"
            raise Refused(500, "", message)
        for amounts in container.get("resources", {}).values():
            for amount in amounts.values():
                if not _QUANTITY.fullmatch(str(amount)):
                    pattern = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
                    message = (
                        f"failed to convert new object (/{key[2]}; {kind}) to proper version: unable to convert "
                        f"unstructured object to {kind}: quantities must match the regular expression '{pattern}'"
                    )
                    raise Refused(500, "", message)


def _see_valid(key: Key, made: Thing, now: Thing | None) -> None:
    if not _NAME.fullmatch(key[2]):
        message = (
            f'Invalid value: "{key[2]}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric '
            "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
            "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
        raise _invalid(key, made, "metadata.name", message)
    if key[0] != "deployments":
        return
    spec = made["spec"]
    selector = spec.get("selector", {}).get("matchLabels", {})
    if now is not None and now["spec"].get("selector") != spec.get("selector"):
        labels = " ".join(f"{name}:{value}" for name, value in sorted(selector.items()))
        message = (
            f"Invalid value: v1.LabelSelector{{MatchLabels:map[string]string{{{_quoted(labels)}}}, "
            "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"
        )
        raise _invalid(key, made, "spec.selector", message)
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    if not selector.items() <= labels.items():
        told = ", ".join(f'"{name}":"{value}"' for name, value in sorted(labels.items()))
        message = f"Invalid value: map[string]string{{{told}}}: `selector` does not match template `labels`"
        raise _invalid(key, made, "spec.template.metadata.labels", message)


def _quoted(labels: str) -> str:
    return ", ".join('"{}":"{}"'.format(*pair.split(":", 1)) for pair in labels.split())


def _invalid(key: Key, made: Thing, field: str, message: str) -> Refused:
    kind = made.get("kind", "")
    group = GROUPS.get(kind, "")
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": field}]
    named = f"{kind}.{group}" if group else kind
    details = {"name": key[2], "group": group, "kind": kind, "causes": causes}
    return Refused(422, "Invalid", f'{named} "{key[2]}" is invalid: {field}: {message}', details)
