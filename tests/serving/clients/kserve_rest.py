"""KServe's own REST client: `python kserve_rest.py PORT MODEL INPUT` asks and prints what it understood, as JSON.

Runs in an environment of its own; `input` of the model is a matrix of three numbers.
"""

import asyncio
import json
import sys
from typing import Any


async def asked(base: str, model: str, name: str) -> dict[str, Any]:
    import kserve.inference_client as theirs
    import numpy as np
    from kserve import InferenceRESTClient, InferInput, InferRequest
    from kserve.protocol.infer_type import RequestedOutput

    rows = np.array([[0.25, 2, 3], [0.5, 5, 6]])

    def request(*, is_binary: bool, **more: Any) -> Any:
        tensor = InferInput(name, [2, 3], "FP64")
        tensor.set_data_from_numpy(rows, binary_data=is_binary)
        return InferRequest(model_name=model, infer_inputs=[tensor], **more)

    def shown(response: Any) -> dict[str, Any]:
        outputs = {one.name: one.as_numpy().tolist() for one in response.outputs}
        return {"id": response.id, "model": response.model_name, "outputs": outputs}

    async with InferenceRESTClient(theirs.RESTConfig(protocol="v2", retries=0)) as client:
        told: dict[str, Any] = {
            "live": await client.is_server_live(base),
            "ready": await client.is_server_ready(base),
            "model ready": await client.is_model_ready(base, model),
            "other ready": await client.is_model_ready(base, "no-such"),
        }
        for is_binary in (True, False):
            for back in (True, False):
                sent = request(is_binary=is_binary, request_id="k-1", parameters={"binary_data_output": back})
                told[f"binary {is_binary}, back {back}"] = shown(await client.infer(base, sent, model_name=model))
        told["without id"] = shown(await client.infer(base, request(is_binary=False), model_name=model))
        wanted = [RequestedOutput("probabilities", {"binary_data": True}), RequestedOutput("label")]
        sent = request(is_binary=True, request_outputs=wanted)
        told["chosen"] = shown(await client.infer(base, sent, model_name=model))
        sent = {"inputs": [{"name": name, "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}
        told["object"] = shown(await client.infer(base, sent, model_name=model))
        try:
            await client.infer(base, {"inputs": []}, model_name=model)
        except theirs.httpx.HTTPStatusError as e:
            told["refused"] = str(e)
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(asked(f"http://127.0.0.1:{sys.argv[1]}", *sys.argv[2:]))))
