"""KServe's own gRPC client: `python kserve_grpc.py PORT MODEL INPUT` asks and prints what it understood, as JSON.

Runs in an environment of its own; `input` of the model is a matrix of three numbers.
"""

import asyncio
import json
import sys
from typing import Any


async def asked(address: str, model: str, name: str) -> dict[str, Any]:
    import kserve.inference_client as theirs
    import numpy as np
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    def shown(response: Any) -> dict[str, Any]:
        outputs = {one.name: one.as_numpy().tolist() for one in response.outputs}
        return {"id": response.id, "model": response.model_name, "version": response.model_version, "outputs": outputs}

    async with InferenceGRPCClient(address, retries=0) as client:
        told: dict[str, Any] = {
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model ready": await client.is_model_ready(model),
        }
        raw = InferInput(name, [2, 3], "FP64")
        raw.set_data_from_numpy(np.array([[0.25, 2, 3], [0.5, 5, 6]]), binary_data=True)
        plain = InferInput(name, [2, 3], "FP64", data=[0.25, 2, 3, 0.5, 5, 6])
        for word, tensor in (("raw", raw), ("contents", plain)):
            sent = InferRequest(model_name=model, infer_inputs=[tensor], request_id="k-2")
            told[word] = shown(await client.infer(sent))
        try:
            await client.infer(InferRequest(model_name="no-such", infer_inputs=[plain]))
        except theirs.grpc.RpcError as e:
            told["refused"] = [e.code().name, e.details()]
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(asked(f"127.0.0.1:{sys.argv[1]}", *sys.argv[2:]))))
