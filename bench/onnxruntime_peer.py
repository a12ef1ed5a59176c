"""ONNX Runtime's part; common.py says how it is called."""
import common
from common import threads, work, workload

import numpy as np
import onnxruntime


def session(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(work / f"models/{name}.onnx", options, providers=["CPUExecutionProvider"])


if workload == "start":
    model = session("mobilenet_v2")
    common.finish(label=int(model.run(None, {model.get_inputs()[0].name: common.photo("NCHW")})[0].argmax()))
else:
    name, batch = common.inference_work()
    model = session(name)
    inputs = {model.get_inputs()[0].name: np.random.default_rng(0).uniform(-1, 1, (batch, 3, 224, 224)).astype(np.float32)}
    common.finish_inference(lambda: model.run(None, inputs), batch)
