"""What the Service of an endpoint says of it: who serves, the table in force, how many copies versions go back to.

The Service's selector sends requests to one version or, while shares are made by copies, to all; its annotations hold
the rest. One write changes all of it at once. Does not know Deployments, pods and routes.
"""

import msgspec
from msgspec import Struct

from headway.backends.target_kubernetes.client import Client
from headway.core import manifest as m
from headway.core.manifest_names import VERSION, endpoint_name
from headway.core.placement import Placement
from headway.core.routing import Table

TABLE, SERVING, COPIES = (f"headway.dev/{word}" for word in ("table", "serving", "copies"))
"""Annotations: the table; who serves where the selector does not say it; `{"3": 2}` copies without a table."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """An endpoint as its Service has it.

    `chosen` is the version that the selector chooses, None: all of them. `serving` is who serves: another than `chosen`
    where a table gives that one a weight of 0. `copies`: how many each version has when there is no table any more;
    empty when nothing was changed.
    """

    serving: int
    chosen: int | None
    table: Table | None = None
    copies: dict[int, int] = {}


def read(client: Client, endpoint: str) -> Endpoint | None:
    """The endpoint now; None when there is none."""
    found = client.get("Service", endpoint_name(endpoint))
    if found is None:
        return None
    said = found["metadata"].get("annotations") or {}
    chosen = found["spec"]["selector"].get(VERSION)
    serving = said.get(SERVING) or chosen
    if serving is None:
        return None
    table, copies = said.get(TABLE, ""), said.get(COPIES, "")
    return Endpoint(
        serving=int(serving),
        chosen=None if chosen is None else int(chosen),
        table=msgspec.json.decode(table, type=Table) if table else None,
        copies=msgspec.json.decode(copies, type=dict[int, int]) if copies else {},
    )


def write(client: Client, name: str, now: Endpoint, placement: Placement) -> None:
    """Make it so."""
    made = m.endpoint_service(name, now.chosen, placement)
    told = {}
    if now.table is not None:
        told[TABLE] = msgspec.json.encode(now.table).decode()
    if now.chosen != now.serving:
        told[SERVING] = str(now.serving)
    if now.copies:
        told[COPIES] = msgspec.json.encode(now.copies).decode()
    if told:
        made = {**made, "metadata": {**made["metadata"], "annotations": told}}
    client.apply(made)
