"""CI/CD for machine learning: data, gates, registry, release and rollback from one file.

For scripts: `headway.log_metrics` and `headway.set_output` (see `headway.reporting`), loaded when first asked for.
"""

__version__ = "0.1.0"

__all__ = ["log_metrics", "set_output"]

# `typing` itself would cost `headway --version` half of its time; checkers know this name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.reporting import log_metrics, set_output
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'headway' has no attribute {name!r}")
        from headway import reporting

        return getattr(reporting, name)
