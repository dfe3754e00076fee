"""Whether requests are traced.

They are when OTEL_EXPORTER_OTLP_ENDPOINT is set in the process's environment, which is OpenTelemetry's own word for
where to; its other variables count as well. `spans` makes the spans, and is imported only then: it needs the extra
`otel`.
"""

import os

from headway.serving.about import About
from headway.serving.trace import Spans, say


def spans_of(about: About) -> Spans | None:
    """What traces the requests of this version; None, which costs nothing, when the environment names no receiver."""
    told = {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}  # noqa: TID251 (a server has no config.py, and OpenTelemetry's library reads the same variables)
    target = told.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or told.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not target or told.get("OTEL_SDK_DISABLED", "").lower() == "true" or told.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    form = told.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or told.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if form != "http/protobuf":
        say(f"traces: they are sent as http/protobuf only, not as {form}; none are (port 4318 is usual)")
        return None
    try:
        from headway.serving.spans import OtlpSpans
    except ImportError as e:
        say(f"traces: {target} is to get them, and {e.name} is not installed; install headway[otel]")
        return None
    try:
        return OtlpSpans(about, target)
    except ValueError as e:
        # The library's own check of its variables; a trace is worth less than the server.
        say(f"traces: none are sent, since OpenTelemetry refuses its variables ({e}); mend them, and start again")
        return None
