"""Models as ONNX graphs, asked by onnxruntime: quick, without the library that trained them, and without running code.

A graph takes one matrix, or an input for each column; it gives labels and probabilities, or numbers. What a file says
of itself beyond that stands in its metadata (`docs/models.md`). `session` asks; `stand_in` asks one that was made from
another model by `tables/onnx_convert`.
"""

from headway.core.prediction import LoadedModel
from headway.errors import ExtraMissing, ModelUnreadable
from headway.formats.onnx.session import Graph
from headway.formats.onnx.stand_in import StandIn
from headway.tables.model_rows import first_line
from headway.tables.onnx_words import SIGNATURE

RUNS_CODE = False
"""A graph of operators that onnxruntime has; libraries of other operators are never loaded."""


def fits(path: str, head: bytes) -> bool:
    """A file named *.onnx: the format has no first bytes of its own."""
    return path.lower().endswith(".onnx") and bool(head)


def load(path: str, *, threads: int | None = None) -> LoadedModel:
    """The model in memory, computing in `threads` threads, all cores when None.

    Raises ExtraMissing, ModelUnreadable.
    """
    try:
        import onnxruntime as ort
    except ModuleNotFoundError as e:
        raise ExtraMissing(
            "the model needs onnxruntime, which is not installed", at=path, remedy="pip install 'headway[onnx]'"
        ) from e
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # it tells all its errors by exceptions as well
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # its own errors have no parent but this
        raise ModelUnreadable(
            f"onnxruntime cannot load the model: {first_line(e)}",
            at=path,
            remedy="save it whole, in one file, with an opset and operators that this onnxruntime has",
        ) from e
    said = session.get_modelmeta().custom_metadata_map
    graph = Graph(session, path)
    return StandIn(graph, said, path) if SIGNATURE in said else graph
