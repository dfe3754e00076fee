"""The web server of a project: web hooks, and the ground that its pages stand on.

`app.make` puts it together, `serve.Server` runs it in a thread. Holds no state: whatever it shows is a fold of the log,
and whatever it does is a fact. Does not know the command line.
"""

from importlib.util import find_spec

from headway.errors import ExtraMissing

if find_spec("starlette") is None or find_spec("jinja2") is None:
    raise ExtraMissing(
        "pages and web hooks need starlette and jinja2, which are not installed here",
        at="headway ui, headway up",
        remedy="pip install 'headway[ui]'",
    )
