"""Models of PyTorch that carry their program: exported ones (`torch.export`, `.pt2`) and TorchScript (`.pt`).

What `torch.save` writes is refused: a pickled module is nothing without its class, weights are no model. `archive`
tells which a file is, `program` asks it.
"""

from typing import Any
from zipfile import BadZipFile

from headway.core.prediction import LoadedModel
from headway.errors import ExtraMissing, ModelUnreadable
from headway.formats.torch import archive
from headway.formats.torch.program import Input, Program
from headway.tables.model_rows import first_line

RUNS_CODE = True
"""PyTorch's own advice: a model is a program, whose operators read and write what they like."""

_ENDINGS = (".pt2", ".pt")


def fits(path: str, head: bytes) -> bool:
    """An archive with a program of PyTorch, whatever its name; a damaged one by its name.

    Raises ModelUnreadable for what `torch.save` wrote, which is no model.
    """
    if archive.OLD_HEAD in head[:16]:
        raise archive.refusal(path)
    if not head.startswith(archive.HEAD):
        return bool(head) and path.lower().endswith(_ENDINGS)
    try:
        kind = archive.kind_of(path)
    except (BadZipFile, OSError, ValueError):
        return path.lower().endswith(_ENDINGS)
    if kind == "pickled":
        raise archive.refusal(path)
    return kind is not None


def load(path: str, *, threads: int | None = None) -> LoadedModel:
    """The program in memory; `threads` counts for the whole process, all cores when None.

    Raises ExtraMissing, ModelUnreadable.
    """
    try:
        import torch
    except ModuleNotFoundError as e:
        raise ExtraMissing(
            "the model needs torch, which is not installed", at=path, remedy="pip install 'headway[torch]'"
        ) from e
    try:
        program, inputs, told = _read(torch, path)
    except ModelUnreadable:
        raise
    except Exception as e:  # its reader raises anything for a file that is not as it wants it
        raise ModelUnreadable(
            f"torch cannot load the model: {type(e).__name__}: {first_line(e)}",
            at=path,
            remedy="save it anew with `torch.export.save` or `torch.jit.save`, whole, on the CPU, with a torch that is "
            "not newer than the one here",
        ) from e
    if threads is not None:
        torch.set_num_threads(threads)
    return Program(program, inputs, told, path)


# Any: torch and its programs, whose types are of no use without it.
def _read(torch: Any, path: str) -> tuple[Any, tuple[Input, ...], archive.Said]:  # noqa: ANN401 (as above)
    archive.check_whole(path)
    kind = archive.kind_of(path)
    if kind == "pickled":
        raise archive.refusal(path)
    program, inputs = _exported(torch, path) if kind == "exported" else _script(torch, path)
    return program, inputs, archive.said(path)


# Any: as above.
def _exported(torch: Any, path: str) -> tuple[Any, tuple[Input, ...]]:  # noqa: ANN401 (as above)
    program = torch.export.load(path)
    names = program.graph_signature.user_inputs
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    inputs = []
    for name in names:
        value = values.get(name)
        if not isinstance(value, torch.Tensor) or not value.ndim:
            raise ModelUnreadable(
                f"the model's input {name} is no tensor with a row for each row asked",
                at=path,
                remedy="export it so that its inputs are columns, or one matrix with a row for each row asked",
            )
        # A size that is no plain number may vary.
        rows, *rest = (size if type(size) is int else None for size in value.shape)
        inputs.append(Input(name=name, dtype=value.dtype, n_rows=rows, rest=tuple(rest)))
    return program.module(), tuple(inputs)


# Any: as above.
def _script(torch: Any, path: str) -> tuple[Any, tuple[Input, ...]]:  # noqa: ANN401 (as above)
    import warnings

    with warnings.catch_warnings():
        # That it is going to be replaced by exported programs.
        warnings.simplefilter("ignore")
        program = torch.jit.load(path, map_location="cpu").eval()
    # It says neither kinds nor shapes of its inputs: they are taken to be of the kind of its numbers.
    kinds = (p.dtype for p in program.parameters() if p.dtype.is_floating_point)
    dtype = next(kinds, torch.float32)
    names = [argument.name for argument in program.forward.schema.arguments[1:] if not argument.has_default_value()]
    return program, tuple(Input(name=name, dtype=dtype) for name in names)
