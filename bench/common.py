"""What the peers share. `NAME_peer.py WORKLOAD VARIANT DATA WORK THREADS` does one measurement in its process and prints one
line of JSON: "value" in the workload's unit, or nothing of the kind for a whole job, whose seconds are taken from outside.

Import this before the framework: it says how many threads and starts the clock. run.py has chosen the processors.
"""
import gzip
import json
import os
import sys
import time
from pathlib import Path

BEGIN = time.perf_counter()
workload, variant = sys.argv[1], sys.argv[2]
data, work, threads = Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5])
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)

SECONDS = 4  # of a measurement, as `temper bench --duration 4`
PHOTO = data / "models/imagenet/sanity_images/arctic-fox.jpeg"


def finish(**result) -> None:
    print(json.dumps(result), flush=True)


def times_of(step, seconds: float = SECONDS) -> tuple[list[float], float]:
    """Sorted seconds of single steps after two to warm up, as `temper bench` measures; and those from the start to the first."""
    step()
    first = time.perf_counter() - BEGIN
    step()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return sorted(times), first


def finish_steps(step, samples: int, **more) -> None:
    """`step` handles so many samples."""
    times, first = times_of(step)
    finish(value=samples / times[len(times) // 2], first_seconds=first, **more)


def finish_inference(step, batch: int) -> None:
    """One sample: milliseconds, median and 99th percentile. Several: samples a second."""
    times, first = times_of(step)
    median, late = times[len(times) // 2], times[min(len(times) - 1, int(0.99 * len(times)))]
    finish(value=median * 1e3 if batch == 1 else batch / median, p99_ms=late * 1e3, first_seconds=first)


def inference_work() -> tuple[str, int]:
    """Model and batch of "w6.resnet50.b32" or "w6.resnet50.b32.int8"."""
    model, batch = workload.split(".")[1:3]
    return model, int(batch[1:])


def inference_input(model: str, batch: int):
    """Random pictures as f32 [batch, 3, 224, 224]; tokens as i64 [batch, 128] for BERT."""
    import numpy as np
    random = np.random.default_rng(0)
    if model == "bert":
        return random.integers(0, 30522, (batch, 128))
    return random.uniform(-1, 1, (batch, 3, 224, 224)).astype(np.float32)


def mnist(part: str):
    """Pictures as f32 [n, 784] in [0, 1] and labels as u8 of "train" or "t10k"."""
    import numpy as np

    def read(name: str, header: int):
        with gzip.open(data / f"mnist/{part}-{name}.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)
    return read("images-idx3-ubyte", 16).reshape(-1, 784).astype(np.float32) / 255, read("labels-idx1-ubyte", 8)


def photo(layout: str):
    """One JPEG as f32 in [-1, 1], [1, 3, 224, 224] or [1, 224, 224, 3]."""
    import numpy as np
    from PIL import Image
    picture = np.asarray(Image.open(PHOTO).convert("RGB").resize((224, 224), Image.BILINEAR), np.float32) / 127.5 - 1
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None] if layout == "NCHW" else picture[None])
