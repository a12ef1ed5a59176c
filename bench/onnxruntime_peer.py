"""ONNX Runtime's part; common.py says how it is called. `onnxruntime_peer.py models` writes what it and OpenVINO run in int8."""
import common
from common import threads, variant, work, workload

import numpy as np
import onnxruntime


def session(name: str, x: np.ndarray) -> onnxruntime.InferenceSession:
    """For inputs of that shape: the files leave N free, and S, the length of a sequence."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    for dimension, size in zip("NS", x.shape):
        options.add_free_dimension_override_by_name(dimension, size)
    path = work / f"models/{name}{'.int8' if 'int8' in variant else ''}.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def write_models() -> None:
    """Static QDQ: activations u8, weights i8 by channel, norms folded first; calibrated on noise, which speed does not depend on."""
    from onnxruntime import quantization

    class Noise(quantization.CalibrationDataReader):
        def __init__(self, name: str) -> None:
            random = np.random.default_rng(0)
            self.rows = iter([{name: random.uniform(-1, 1, (4, 3, 224, 224)).astype(np.float32)} for _ in range(8)])

        def get_next(self) -> dict | None:
            return next(self.rows, None)

    for path in [work / "models/mobilenet_v2.onnx", work / "models/resnet50.onnx"]:
        name = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()[0].name
        ready = path.with_suffix(".ready.onnx")
        quantization.shape_inference.quant_pre_process(path, ready, skip_symbolic_shape=True)
        quantization.quantize_static(ready, path.with_suffix(".int8.onnx"), Noise(name), per_channel=True,
                                     quant_format=quantization.QuantFormat.QDQ, activation_type=quantization.QuantType.QUInt8,
                                     weight_type=quantization.QuantType.QInt8)
        ready.unlink()


if workload == "models":
    write_models()
elif workload.startswith("start"):
    x = common.photo("NCHW")
    model = session("mobilenet_v2", x)
    common.finish(label=int(model.run(None, {model.get_inputs()[0].name: x})[0].argmax()))
else:
    name, batch = common.inference_work()
    x = common.inference_input(name, batch)
    model = session(name, x)
    inputs = {model.get_inputs()[0].name: x}
    common.finish_inference(lambda: model.run(None, inputs), batch)
