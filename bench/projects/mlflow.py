"""MLflow: it runs no pipeline of its own; its start and its size are measured."""

from __future__ import annotations

from projects.tool import Tool

TOOL = Tool(
    name="mlflow",
    requirements=("mlflow==3.17.2",),
    help=("mlflow", "--help"),
    version=("mlflow", "--version"),
    variables={"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
)
