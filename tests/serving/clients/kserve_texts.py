"""KServe's REST client with a number and a text by column: `python kserve_texts.py PORT MODEL` prints the labels."""

import asyncio
import json
import sys
from typing import Any


async def asked(base: str, model: str) -> dict[str, Any]:
    import numpy as np
    from kserve import InferenceRESTClient, InferInput, InferRequest
    from kserve.inference_client import RESTConfig

    told = {}
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as client:
        for is_binary in (True, False):
            a, b = InferInput("a", [2], "INT64"), InferInput("b", [2], "BYTES")
            a.set_data_from_numpy(np.array([2, 1]), binary_data=is_binary)
            b.set_data_from_numpy(np.array(["grün".encode(), b""], dtype=object), binary_data=is_binary)
            sent = InferRequest(model_name=model, infer_inputs=[a, b], parameters={"binary_data_output": is_binary})
            back = (await client.infer(base, sent, model_name=model)).outputs[0].as_numpy().tolist()
            told[str(is_binary)] = [one.decode() if isinstance(one, bytes) else one for one in back]
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(asked(f"http://127.0.0.1:{sys.argv[1]}", sys.argv[2]))))
