"""LiteRT's part (XNNPACK); common.py says how it is called. A variant names the file: f32, int8, or the published int8 one."""
import common
from common import data, threads, variant, work, workload

import numpy as np
from ai_edge_litert.interpreter import Interpreter

PUBLISHED = data / "models/imagenet/mobilenet_v2_1.0_224_int8_perchannel.tflite"


def interpreter(path, batch: int) -> Interpreter:
    model = Interpreter(str(path), num_threads=threads)
    port = model.get_input_details()[0]
    if batch != port["shape"][0]:
        model.resize_tensor_input(port["index"], [batch, *port["shape"][1:]])
    model.allocate_tensors()
    return model


def runner(model: Interpreter, x: np.ndarray):
    """One call: input in, run, scores out."""
    put, get = model.get_input_details()[0]["index"], model.get_output_details()[0]["index"]

    def run() -> np.ndarray:
        model.set_tensor(put, x)
        model.invoke()
        return model.get_tensor(get)
    return run


if workload.startswith("start"):
    if "int8" in variant:
        from PIL import Image
        model, x = interpreter(PUBLISHED, 1), np.asarray(Image.open(common.PHOTO).convert("RGB").resize((224, 224)))[None]
    else:
        model, x = interpreter(work / "models/mobilenet_v2.tflite", 1), common.photo("NHWC")
    common.finish(label=int(runner(model, x)().argmax()))
else:
    name, batch = common.inference_work()
    path = PUBLISHED if "published" in variant else work / f"models/{name}{'.int8' if 'int8' in variant else ''}.tflite"
    model, random = interpreter(path, batch), np.random.default_rng(0)
    kind, shape = model.get_input_details()[0]["dtype"], (batch, 224, 224, 3)
    x = random.uniform(-1, 1, shape).astype(np.float32) if kind == np.float32 else random.integers(0, 127, shape).astype(kind)
    common.finish_inference(runner(model, x), batch)
