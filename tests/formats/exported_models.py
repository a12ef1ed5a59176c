#!/usr/bin/env python3
"""What `temper convert` and `temper tune` write, in ONNX Runtime: its outputs are within 1e-4 of `temper run`'s.

exported_models.py TEMPER DATA: the program and the repository's examples/data.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77
try:
    import numpy as np
    import onnxruntime as ort
except ImportError as problem:
    print(f"skipped, because {problem.name} is not installed here: ./run test installs it")
    sys.exit(SKIPPED)

OPSETS = range(13, 22)  # all that can be written
# The largest not at all opsets, for time's sake: they are made of the same operators as mobilenet_v2.
ARCHITECTURES = {"mlp:784-128-10": OPSETS, "cnn": OPSETS, "mobilenet_v2": OPSETS, "bert:2-64-4": OPSETS,
                 "resnet18": [13, 21], "resnet34": [17], "resnet50": [17]}


class Exports:
    def __init__(self, temper: str, data: Path, scratch: Path) -> None:
        self.temper, self.data, self.scratch = temper, data, scratch
        self.options = ort.SessionOptions()
        self.options.intra_op_num_threads = self.options.inter_op_num_threads = 1
        self.options.log_severity_level = 4
        self.models = self.failed = 0

    def run(self, *arguments: object) -> str:
        command = [self.temper, *map(str, arguments), "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"temper {arguments[0]} {arguments[1]}: {done.stdout}{done.stderr}")
        return done.stdout

    def outputs(self, model: object, inputs: "np.ndarray") -> "np.ndarray":
        """The first output by temper."""
        np.save(self.scratch / "x.npy", inputs)
        said = json.loads(self.run("run", model, "--input", self.scratch / "x.npy", "--save", self.scratch))
        return np.load(said["outputs"][0]["file"])

    def compare(self, what: str, file: Path, inputs: "np.ndarray", ours: "np.ndarray") -> None:
        session = ort.InferenceSession(str(file), self.options, providers=["CPUExecutionProvider"])
        theirs = session.run(None, {session.get_inputs()[0].name: inputs})[0]
        self.models += 1
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=1e-4, atol=1e-4):
            self.failed += 1
            apart = np.abs(ours - theirs).max() if ours.shape == theirs.shape else f"{ours.shape}, {theirs.shape}"
            print(f"{what}: differs by {apart}")

    def converted(self, model: object, shape: tuple, opsets) -> None:
        random = np.random.default_rng(1)
        tokens = str(model).startswith("bert:")
        inputs = random.integers(0, 30522, shape) if tokens else random.uniform(-1, 1, shape).astype("f4")
        ours = self.outputs(model, inputs)
        for opset in opsets:
            file = self.scratch / "written.onnx"
            self.run("convert", model, file, "--opset", opset)
            self.compare(f"{model}, opset {opset}", file, inputs, ours)

    def tuned(self, name: str, model: object, *recipe: str) -> None:
        out = self.scratch / name
        self.run("tune", model, "--data", self.scratch / "photos", "--out", out, "--epochs", 1, "--batch", 4, *recipe)
        inputs = np.random.default_rng(2).uniform(-1, 1, (2, 3, 224, 224)).astype("f4")
        self.compare(name, out / "model.onnx", inputs, self.outputs(out, inputs))

    def photos(self) -> None:
        """Two classes of four pictures: enough to move every weight."""
        for label in ("hat", "shoes"):
            folder = self.scratch / "photos" / label
            folder.mkdir(parents=True)
            for picture in sorted((self.data / "clothing10/train" / label).iterdir())[:4]:
                (folder / picture.name).symlink_to(picture)


def main() -> int:
    temper, data = sys.argv[1], Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        exports = Exports(temper, data, Path(scratch))
        shipped = data / "mobilenet_v1_0.25_224.onnx"
        exports.converted(shipped, (2, 3, 224, 224), [13, 17, 21])
        shapes = {"mlp:784-128-10": (2, 784), "cnn": (2, 3, 32, 32), "bert:2-64-4": (3, 20)}
        for name, opsets in ARCHITECTURES.items():
            exports.converted(name, shapes.get(name, (1, 3, 224, 224)), opsets)
        exports.photos()
        exports.tuned("new head", shipped, "--preprocess", "tf", "--head", "gap,dense:32:relu,bn,dense")
        exports.tuned("tuned whole", "mobilenet_v2", "--trainable", "all", "--lr", "1e-3")
    print(f"{exports.models} exported models, {exports.failed} differ in ONNX Runtime")
    return 1 if exports.failed else 0


if __name__ == "__main__":
    sys.exit(main())
