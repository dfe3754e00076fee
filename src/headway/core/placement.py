"""What a user says of `target: kubernetes`: the one list of its settings, with their defaults.

`config` reads them from headway.toml, `manifest` says what is wrong with them and makes manifests of them, the target
finds the cluster by them. Apart from those, so that a command that reads settings need not load what makes manifests.
"""

from msgspec import Struct, field


class Placement(Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """How versions run in a cluster, and in which: at an address, or that of a kubeconfig's context."""

    image: str
    """The image of the servers: headway, with the packages that the model's format needs."""
    api: str = ""
    """The cluster's address; empty: that of the kubeconfig, or the one around this pod."""
    context: str = ""
    """The context of the kubeconfig; empty: its current one."""
    namespace: str = ""
    """Empty: whichever the manifests are applied to."""
    replicas: int = 2
    """Copies of the version that serves."""
    max_replicas: int = 0
    """More copies under load, up to this many, by the processors' use; 0: never."""
    most_copies: int = 20
    """Copies that the versions of an endpoint may have together while their number makes the shares of a canary."""
    cpu: str = "500m"
    """Processors that a copy is promised. There is no limit: a limit would slow it when others are idle."""
    memory: str = "1Gi"
    """Memory that a copy is promised and may use."""
    gpu: int = 0
    start_s: int = 300
    """How long a copy may take to load its model; after it the copy is ended and tried again."""
    drain_s: int = 30
    """How long requests that are under way may take when a copy ends."""
    labels: dict[str, str] = field(default_factory=dict)
    """More labels for everything."""
    store_url: str = ""
    """Where a container fetches the model's files from before the server starts; empty: the image holds them."""
    secret: str = ""
    """A Secret whose values are the environment of both (credentials of the store)."""
    pull_secret: str = ""
    service_account: str = ""
    gateway: str = ""
    """The Gateway that HTTPRoutes hang on, `name` or `namespace/name`; empty: there are none."""
    hostname: str = ""
    """The host that such a route answers to; empty: any."""
