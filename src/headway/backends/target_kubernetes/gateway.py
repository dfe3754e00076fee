"""The route of an endpoint at a Gateway: written, and seen to be taken; what was there comes back when it is not.

A Gateway that does not know what a route asks for may answer every request with an error, and says so in the route's
conditions alone. Does not know which version serves.
"""

from collections.abc import Callable, Mapping

from headway.backends.target_kubernetes.client import Client
from headway.backends.target_kubernetes.waiting import LOOK_S
from headway.core import manifest as m
from headway.core.manifest_names import endpoint_name
from headway.core.placement import Placement
from headway.core.routing import Shadow, Table
from headway.errors import TargetUnavailable, UsageMistaken

ROUTE_S = 30.0
"""How long a Gateway may take to say what it thinks of a route; the one measured took a tenth of a second."""

COPIES, SHARED_COPIES = "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"
"""What a GatewayClass calls it that its Gateways copy requests: all, or a share of them."""

UNKNOWN = "nobody knows whether it copies requests"
CLASSES = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"


class Gateway:
    """The routes of a placement's Gateway."""

    __slots__ = ("_client", "_now", "_placement", "_sleep")

    def __init__(
        self, client: Client, placement: Placement, *, now: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._client, self._placement = client, placement
        self._now, self._sleep = now, sleep

    def see_possible(self, endpoint: str, table: Table) -> None:
        """Raise UsageMistaken for what this Gateway cannot do, and would answer with errors maybe."""
        problem, remedy = "", ""
        if table.sticky is not None:
            problem, remedy = "a Gateway keeps no keys with a version", "leave `sticky` away"
        elif table.shadow is not None:
            wanted = COPIES if table.shadow.share == 1 else SHARED_COPIES
            problem, remedy = self._lacks(wanted), "leave the shadow away, or take a Gateway that says it can"
        if problem:
            raise UsageMistaken(f"{endpoint}: {problem}", at=f"endpoint: {endpoint}", remedy=remedy)

    def _lacks(self, wanted: str) -> str:
        """Why the Gateway is not taken to have a feature; empty when its class says that it has.

        What a route's conditions say is no answer: one that does not know how to copy said that all was well.
        """
        namespace, _, name = self._placement.gateway.rpartition("/")
        path = self._client.path("Gateway", name)
        if namespace:
            path = path.replace(f"/namespaces/{self._client.namespace}/", f"/namespaces/{namespace}/")
        said = self._client.request("GET", path)
        kind = said.json().get("spec", {}).get("gatewayClassName", "") if said.status == 200 else ""
        if not kind:
            return (
                f"the Gateway {self._placement.gateway} cannot be read, so that nobody knows whether it copies requests"
            )
        said = self._client.request("GET", f"{CLASSES}/{kind}")
        if said.status != 200:
            return f"the GatewayClass {kind} cannot be read: {UNKNOWN}"
        features = said.json().get("status", {}).get("supportedFeatures") or []
        known = {one["name"] if isinstance(one, dict) else one for one in features}
        return (
            "" if wanted in known else f"Gateways of the class {kind} do not say that they can copy requests ({wanted})"
        )

    def put(self, endpoint: str, shares: Mapping[int, float], shadow: Shadow | None = None) -> None:
        """Apply a route and see that the Gateway takes it; the one before comes back when it does not."""
        name = endpoint_name(endpoint)
        before = self._client.get("HTTPRoute", name)
        made = self._client.apply(m.route(endpoint, shares, self._placement, shadow))
        said = self._said(made)
        if said == "":
            return
        if before is None:
            self._client.delete("HTTPRoute", name)
        else:
            self._client.apply(m.route(endpoint, shares, self._placement) | {"spec": before["spec"]})
        raise TargetUnavailable(
            f"the Gateway {self._placement.gateway} does not take the route of {endpoint}: {said or 'it says nothing'}",
            at=f"target: {self._client.server}, namespace {self._client.namespace}",
            remedy="see `kubectl describe httproute`; what answered before still does",
        )

    def _said(self, made: m.Manifest) -> str | None:
        """What it says of a route that was applied just now, once it says something; None: it said nothing in time."""
        name, ends_at = made["metadata"]["name"], self._now() + ROUTE_S
        while (said := _thinks(made)) is None and self._now() < ends_at:
            self._sleep(LOOK_S / 5)
            made = self._client.get("HTTPRoute", name) or made
        return said


def _thinks(route: m.Manifest) -> str | None:
    """What a Gateway says of a route as it is now: nothing against it, why not, or None while it says nothing."""
    generation = route["metadata"].get("generation", 0)
    parents = (route.get("status") or {}).get("parents") or []
    said = [
        c for parent in parents for c in parent.get("conditions") or [] if c.get("observedGeneration") == generation
    ]
    bad = [c.get("message") or c.get("reason") or c["type"] for c in said if c["status"] == "False"]
    if bad:
        return str(bad[0])
    return "" if {"Accepted", "ResolvedRefs"} <= {c["type"] for c in said} else None
