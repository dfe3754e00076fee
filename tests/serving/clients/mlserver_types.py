"""MLServer's types and codecs as a client: `python mlserver_types.py MATRIX_PORT COLUMNS_PORT` prints what they read.

What they encode is sent as it is, and what comes back must be an answer of theirs.
"""

import json
import sys
import urllib.request
from typing import Any


def ask(port: str, path: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: bytes = response.read()
        return answer


def inferred(port: str, request: Any) -> Any:
    from mlserver.types import InferenceResponse

    body = request.model_dump_json(exclude_none=True).encode()
    return InferenceResponse.model_validate_json(ask(port, "/v2/models/m/infer", body))


def main(matrix: str, columns: str) -> dict[str, Any]:
    import numpy as np
    import pandas as pd
    from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
    from mlserver.types import InferenceRequest, MetadataModelResponse, MetadataServerResponse, RepositoryIndexResponse

    told: dict[str, Any] = {
        "server": MetadataServerResponse.model_validate_json(ask(matrix, "/v2")).name,
        "inputs": [
            (one.name, one.datatype, one.shape)
            for one in MetadataModelResponse.model_validate_json(ask(columns, "/v2/models/m")).inputs
        ],
        "index": [
            (one.name, one.state)
            for one in RepositoryIndexResponse.model_validate_json(ask(matrix, "/v2/repository/index", b"{}")).root
        ],
    }
    rows = np.array([[0.25, 2, 3], [0.5, 5, 6]])
    back = inferred(matrix, InferenceRequest(id="m-1", inputs=[NumpyCodec.encode_input("input", rows)]))
    told["id"] = back.id
    told["decoded"] = {one.name: NumpyCodec.decode_output(one).tolist() for one in back.outputs}
    back = inferred(matrix, NumpyRequestCodec.encode_request(rows))
    told["as a request"] = NumpyCodec.decode_output(back.outputs[0]).tolist()
    frame = pd.DataFrame({"a": [2, 1], "b": ["grün", ""]})
    back = inferred(columns, PandasCodec.encode_request(frame, use_bytes=False))
    told["texts"] = StringCodec.decode_output(back.outputs[0])
    told["frame"] = PandasCodec.decode_response(back).to_dict("list")
    return told


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
