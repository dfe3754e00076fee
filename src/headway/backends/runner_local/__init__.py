"""Runs tasks as processes of this machine: `spawn` starts, `loop` waits and stops, `alive` finds what was left over."""

from headway.backends.runner_local.loop import LocalRunner, connect

__all__ = ["LocalRunner", "connect"]
