"""Whether the commands that are advertised would be found in the shell of whoever reads of them, and how they are."""

import os
import shlex
import sys
from collections.abc import Mapping


def to_type_first(environ: Mapping[str, str]) -> str:
    """What to type before `headway` and `python` mean those that run now; empty when they do already.

    A virtual environment that was called by its path (`.venv/bin/headway`, `make demo`) is on nobody's PATH.
    """
    from shutil import which

    ours = os.path.dirname(sys.executable)
    on_path = (which(name, path=environ.get("PATH", os.defpath)) for name in ("headway", "python"))
    if all(found is not None and os.path.dirname(os.path.abspath(found)) == ours for found in on_path):
        return ""
    activate = os.path.join(ours, "activate")
    if os.path.exists(activate):
        near = os.path.relpath(activate)
        return f"source {shlex.quote(activate if near.startswith('..') else near)}"
    return f'export PATH={shlex.quote(ours)}:"$PATH"'
