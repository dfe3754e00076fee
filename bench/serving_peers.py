"""The peers of serving, each with its pinned packages; what a test wants of them, too, in the same environments."""

from projects.tool import Tool

_MODELS = ("scikit-learn>=1.4,<2", "joblib>=1.3,<2", "numpy>=1.26,<3")

FASTAPI = Tool(name="fastapi", requirements=("fastapi==0.115.6", "uvicorn[standard]==0.34.0", *_MODELS))
#: Its own bounds let in an uvloop without an implicit loop, with which its workers die at once.
MLSERVER = Tool(
    name="mlserver",
    requirements=("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop<0.22", "pandas>=2,<3", *_MODELS),
)
KSERVE = Tool(name="kserve", requirements=("kserve==0.21.0",))
SCHEMATHESIS = Tool(name="schemathesis", requirements=("schemathesis==4.32.5",))
