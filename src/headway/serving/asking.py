"""What a request asks the model, and the reply to it: between bytes and tables, in either form, both ways.

Waits for nobody: `app` asks the batcher in between, within a task or without one. Does not know HTTP's transport.
"""

import time
import traceback
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.prediction import Prediction
from headway.core.signature import Signature
from headway.errors import DataUnreadable
from headway.serving import protocol, v2, v2_request
from headway.serving.about import About
from headway.serving.metrics import Meter
from headway.serving.protocol import Refusal, Row
from headway.serving.record import Answered
from headway.serving.reply import BINARY, Reply, Request
from headway.serving.trace import named, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.serving.batch import Outcome
    from headway.serving.forward import Headers
    from headway.serving.v2_tensors import Array


class Asking(Struct, frozen=True):
    """What the model is asked; `inference` is set for a request of the Open Inference Protocol.

    `head`: how much of such a request is JSON, -1 for all of it.
    """

    table: "Sequence[Row] | dict[str, Array]"
    inference: v2_request.Asked | None = None
    head: int = -1


class Asker:
    """Reads requests to one model version and writes its replies. `plain` are the paths where rows are plain JSON."""

    __slots__ = ("_about", "_matrix", "_meter", "_plain", "_reader", "_rows", "_signature", "_takes_arrays")

    def __init__(self, about: About, signature: Signature, meter: Meter, *, plain: str, takes_arrays: bool) -> None:
        self._about = about
        self._signature = signature
        self._rows = protocol.Rows(about.columns or signature.columns, protocol.kinds_of(signature))
        self._reader = v2_request.Reader(signature)
        self._matrix = signature.matrix
        self._meter = meter
        self._plain = plain
        self._takes_arrays = takes_arrays

    def asking(self, request: Request) -> Asking | Refusal:
        """What it asks, or why it cannot be asked."""
        return self._of_rows(request) if request.path == self._plain else self._of_tensors(request)

    def reply(self, request: Request, asking: Asking, outcome: "Outcome") -> Reply | Refusal:
        """What is told of the model's outcome."""
        if isinstance(outcome, Prediction):
            return self._answer(request, asking, outcome)
        if isinstance(outcome, Refusal):
            return outcome
        if isinstance(outcome, DataUnreadable):
            return Refusal(status=400, error=outcome.problem)
        who = named(request.request_id, request.headers)
        say(f"{who}: {self._about.name} raised\n{''.join(traceback.format_exception(outcome))}")
        return Refusal(status=500, error=f"the model failed: {type(outcome).__name__}; its log tells more")

    def _of_rows(self, request: Request) -> Asking | Refusal:
        rows = self._rows.read(request.body)
        if isinstance(rows, Refusal):
            return rows
        return protocol.fit(rows, self._matrix) or Asking(rows)

    def _of_tensors(self, request: Request) -> Asking | Refusal:
        length = request.headers.get(v2.HEAD_LENGTH)
        if length is not None and not length.isdigit():
            return Refusal(status=400, error="Inference-Header-Content-Length is no number of bytes")
        head = None if length is None else int(length)
        asked = self._reader.read(request.body, head_bytes=head)
        if isinstance(asked, Refusal):
            return asked
        table = asked.arrays if self._takes_arrays else v2_request.rows_of(asked.arrays, self._signature)
        return Asking(table, asked, -1 if head is None else head)

    def _answer(self, request: Request, asking: Asking, prediction: Prediction) -> Reply:
        headers: Headers = []
        back = -1
        if asking.inference is None:
            form = "predict"
            body = protocol.write_prediction(prediction, model=self._about.name, request_id=request.request_id)
        else:
            form = "infer"
            body, binary = v2.write(asking.inference, prediction, self._about, request.request_id)
            if binary is not None:
                back = binary
                headers = [BINARY, (v2.HEAD_LENGTH, str(back).encode())]
        took_s = time.perf_counter() - request.began
        self._meter.latency.add(took_s)
        noted = Answered(request.request_id, time.time(), took_s * 1000, form, request.body, body, asking.head, back)
        return Reply(status=200, body=body, headers=headers, noted=noted)
