"""OpenVINO's part; common.py says how it is called. Its own choice of precision may be bf16, so the variant names it; in int8 it
runs the file that ONNX Runtime has quantised; "requests": as many at once as it asks for, with its hint for throughput."""
import common
from common import threads, variant, work, workload

import numpy as np
import openvino


def compiled(name: str, shape: tuple[int, ...], cache: bool = False) -> openvino.CompiledModel:
    core = openvino.Core()
    if cache:
        core.set_property({"CACHE_DIR": str(work / "openvino")})
    model = core.read_model(work / f"models/{name}{'.int8' if 'int8' in variant else ''}.onnx")
    model.reshape(list(shape))
    return core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": "THROUGHPUT" if "requests" in variant else "LATENCY", "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if "bf16" in variant else "f32"})


def requests_at_once(model: openvino.CompiledModel, x: np.ndarray, batch: int) -> None:
    queue = openvino.AsyncInferQueue(model)

    def turn() -> None:
        for _ in range(2 * len(queue)):
            queue.start_async({0: x}, share_inputs=True)
        queue.wait_all()
    times, first = common.times_of(turn)
    common.finish(value=2 * len(queue) * batch / times[len(times) // 2], first_seconds=first)


if workload.startswith("start"):
    x = common.photo("NCHW")
    common.finish(label=int(compiled("mobilenet_v2", x.shape, "cache" in variant)(x)[0].argmax()))
else:
    name, batch = common.inference_work()
    x = common.inference_input(name, batch)
    model = compiled(name, x.shape)
    if "requests" in variant:
        requests_at_once(model, x, batch)
    else:
        request = model.create_infer_request()
        common.finish_inference(lambda: request.infer({0: x}, share_inputs=True), batch)
