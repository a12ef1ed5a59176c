#!/usr/bin/env python3
"""Runs each FOLDER/**/written.onnx in ONNX Runtime on the inputs beside it; the outputs must be ours within 1e-4."""
import struct
import sys
from pathlib import Path

SKIPPED = 77
try:
    import numpy as np
    import onnxruntime as ort
except ImportError as problem:
    print(f"skipped, because {problem.name} is not installed here: ./run test installs it")
    sys.exit(SKIPPED)

NO_KERNEL = ("NOT_IMPLEMENTED", "Could not find an implementation")  # in its own words
# Where ONNX Runtime does not do what ONNX's tests, which we agree with, ask for.
KNOWN = {"test_convinteger_with_padding": "it knows one zero point for all weights only",
         "test_reduce_log_sum_exp_empty_set": "it refuses the maximum of nothing",
         "test_reduce_max_empty_set": "it refuses the maximum of nothing",
         "test_resize_downsample_scales_cubic_align_corners": "it scales by the rounded size",
         "test_resize_downsample_scales_linear_align_corners": "it scales by the rounded size"}
DTYPES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8"}


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def read_tensor(path: Path) -> tuple[str, "np.ndarray | None"]:
    """A TensorProto: name and array; None for element types that NumPy lacks."""
    data, at = path.read_bytes(), 0
    dims, dtype, name, raw, typed = [], 0, "", b"", []
    while at < len(data):
        key, at = varint(data, at)
        field, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        if field == 1 and kind == 0:
            dims.append(value)
        elif field == 1:
            inner = 0
            while inner < len(value):
                dim, inner = varint(value, inner)
                dims.append(dim)
        elif field == 2:
            dtype = value
        elif field == 8:
            name = value.decode()
        elif field == 9:
            raw = value
        elif field in (4, 5, 6, 7, 10, 11):
            typed.append((field, value))
    if dtype not in DTYPES:
        return name, None
    array = np.frombuffer(raw, DTYPES[dtype])
    if typed:
        values = []
        for field, value in typed:
            if field in (4, 10):
                values += [x for (x,) in struct.iter_unpack("<f" if field == 4 else "<d", value)]
            elif isinstance(value, int):
                values.append(value)
            else:
                inner = 0
                while inner < len(value):
                    x, inner = varint(value, inner)
                    values.append(x - (1 << 64) if x >= 1 << 63 else x)
        array = np.array(values).astype(np.uint16).view("f2") if dtype == 10 else np.array(values).astype(DTYPES[dtype])
    return name, array.reshape(dims)


def numbered(folder: Path, prefix: str) -> list:
    found = []
    while (path := folder / f"{prefix}_{len(found)}.pb").exists():
        found.append(read_tensor(path)[1])
    return found


def compare(session: "ort.InferenceSession", folder: Path) -> str:
    inputs, expected = numbered(folder, "input"), numbered(folder, "output")
    if any(array is None for array in inputs + expected):
        return "no kernel: element types that NumPy lacks"
    wanted = [entry.name for entry in session.get_inputs()]
    names = wanted
    outputs = session.run(None, dict(zip(names, inputs)))
    for ours, theirs in zip(expected, outputs):
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            return f"{ours.dtype}{ours.shape} here, {theirs.dtype}{theirs.shape} there"
        if ours.dtype.kind != "f":
            if not np.array_equal(ours, theirs):
                return "integers differ"
            continue
        limit = 1e-4 if ours.dtype.itemsize > 2 else 2e-3
        if not np.allclose(ours.astype("f8"), theirs.astype("f8"), rtol=limit, atol=limit, equal_nan=True):
            return f"differs by {np.nanmax(np.abs(ours.astype('f8') - theirs.astype('f8')))}"
    return ""


def check(file: Path, options: "ort.SessionOptions") -> str:
    try:
        session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as problem:
        text = str(problem).replace("\n", " ")
        return f"no kernel: {text}" if any(word in text for word in NO_KERNEL) else f"does not load: {text}"
    for folder in sorted(file.parent.glob("test_data_set_*")):
        try:
            difference = compare(session, folder)
        except Exception as problem:
            difference = f"does not run: {problem}".replace("\n", " ")
        if difference:
            return difference
    return ""


def main() -> int:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    files = sorted(path for folder in sys.argv[1:] for path in Path(folder).rglob("written.onnx"))
    failed = without_kernel = 0
    for file in files:
        if file.parent.name in KNOWN:
            continue
        problem = check(file, options)
        if problem.startswith("no kernel"):
            without_kernel += 1
        elif problem:
            failed += 1
            print(f"{file.parent.name}: {problem[:300]}")
    print(f"{len(files)} written models, {without_kernel} that ONNX Runtime has no kernel for, {failed} differ or do not load")
    if not files:
        print("skipped, because nothing was written")
        return SKIPPED
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
