"""Buckets by their URL: the client opened as the environment says, asked again, its faults told in our words.

Two back-ends live in buckets, `blobs_object` and `source_object`; this is what they share and lies below both. Knows
neither what is in a bucket nor why somebody reads it.
"""

import re
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from headway.errors import ExtraMissing, HeadwayError, UsageMistaken

_T = TypeVar("_T")

_PREFIXES = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
_REFUSED = re.compile(r"status code: 40[13]\b")
_SECRET = ("KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "SAS")

_SETTINGS = frozenset(
    {
        "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "REGION", "DEFAULT_REGION", "ENDPOINT_URL", "ENDPOINT",
        "VIRTUAL_HOSTED_STYLE_REQUEST", "SKIP_SIGNATURE", "SERVICE_ACCOUNT", "SERVICE_ACCOUNT_KEY",
        "SERVICE_ACCOUNT_PATH", "APPLICATION_CREDENTIALS", "STORAGE_ACCOUNT_NAME", "STORAGE_ACCOUNT_KEY",
        "STORAGE_SAS_KEY", "STORAGE_SAS_TOKEN", "STORAGE_USE_EMULATOR", "CLIENT_ID", "CLIENT_SECRET", "TENANT_ID",
    }
)  # fmt: skip
"""What of the environment a client is given; other variables that begin alike are somebody else's."""


class Access(NamedTuple):
    """Who we are to a bucket, and how its faults are told.

    `environ` holds credentials and settings under their usual names (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …); `at` is
    the place that a fault names, `what` it is, `again` what else to say where it does not answer.
    """

    at: str
    environ: Mapping[str, str]
    refused: type[HeadwayError]
    unreachable: type[HeadwayError]
    again: str = "see that it can be reached, then do this again"
    what: str = "bucket"

    def client(self) -> ModuleType:
        """`obstore`, imported when it is needed. Raises ExtraMissing."""
        try:
            import obstore.exceptions
            import obstore.store
        except ModuleNotFoundError as e:
            raise ExtraMissing(
                "buckets need a package that is not installed", at=self.at, remedy="pip install 'headway[remote]'"
            ) from e
        return obstore

    # Any: obstore's stores share no type that it exports at run time; what it takes are plain dicts.
    def open(self, url: str, timeouts: Mapping[str, str], retry: Any) -> Any:  # noqa: ANN401
        """The client of a bucket; nothing is asked of it yet. Raises UsageMistaken, ExtraMissing."""
        prefix = _PREFIXES[url.partition(":")[0]]
        config = {name: value for name, value in self.environ.items() if name.startswith(prefix) and value}
        is_plain = config.get(f"{prefix}ALLOW_HTTP", "") not in ("", "0", "false")
        is_plain |= config.get(f"{prefix}ENDPOINT_URL", "").startswith("http://")
        known = {name: value for name, value in config.items() if name.removeprefix(prefix) in _SETTINGS}
        if prefix == "AWS_":
            # With the signature alone, some servers keep what was changed on the way to them.
            known["AWS_CHECKSUM_ALGORITHM"] = "sha256"
        options = {"allow_http": is_plain, "connect_timeout": "10s", **timeouts}
        client = self.client()
        try:
            return client.store.from_url(url, config=known, client_options=options, retry_config=retry)
        except (client.exceptions.BaseError, ValueError) as e:
            raise UsageMistaken(
                f"the settings for {url} cannot be meant: {self._said(e)}",
                at=self.at,
                remedy=f"mend the {prefix}… variables, or the URL",
            ) from e

    def ask(self, ask: Callable[[], _T], pauses_s: tuple[float, ...]) -> _T | None:
        """What the bucket answers, asked again when the way there failed; None when there is no such object.

        Raises what `refused` and `unreachable` are, and UsageMistaken for what no bucket can be asked.
        """
        exceptions = self.client().exceptions
        for pause_s in (*pauses_s, None):
            try:
                return ask()
            except (exceptions.NotFoundError, FileNotFoundError) as e:
                if "NoSuchBucket" in str(e):
                    raise self._told(e) from e
                return None
            except (exceptions.BaseError, OSError, ValueError) as e:
                told = self._told(e)
                if pause_s is None or told.retry_after_s is None:
                    raise told from e
                time.sleep(pause_s)
        raise AssertionError("the last pause is None")

    def _told(self, e: Exception) -> HeadwayError:
        exceptions = self.client().exceptions
        if "NoSuchBucket" in str(e):
            return self.refused("there is no such bucket", at=self.at, remedy="make the bucket, or mend the URL")
        said = self._said(e)
        if isinstance(e, exceptions.UnknownConfigurationKeyError | ValueError):
            return UsageMistaken(f"a bucket cannot be asked that: {said}", at=self.at, remedy="mend the URL")
        # For a listing, the client has no error of its own for this.
        if isinstance(e, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError) or _REFUSED.search(said):
            return self.refused(
                f"the bucket does not let you in: {said}",
                at=self.at,
                remedy="check the bucket's name, and what the credentials in the environment (AWS_ACCESS_KEY_ID, …) "
                "may do there",
            )
        return self.unreachable(f"the {self.what} does not answer as it should: {said}", at=self.at, remedy=self.again)

    def _said(self, e: Exception) -> str:
        """What the client said, without secrets."""
        said = str(e).partition("\n\nDebug source")[0].strip().replace("\n", " ")
        for name, value in self.environ.items():
            if len(value) > 3 and any(word in name.upper() for word in _SECRET):
                said = said.replace(value, f"${name}")
        return said[:300]
