"""What is served: the one value that the application, its protocols and its pages all tell of."""

from msgspec import Struct


class About(Struct, frozen=True, kw_only=True):
    """What is served, as `GET /` tells it."""

    endpoint: str
    model: str
    version: int
    digest: str
    format: str
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`churn@12`."""
        return f"{self.model}@{self.version}"
