"""CI/CD for machine learning: data, gates, registry, release and rollback from one file."""

__version__ = "0.1.0"
