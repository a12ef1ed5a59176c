#!/usr/bin/python3
"""Twenty training steps of PyTorch in double, for tests/programs/train: the gradients of the first, all losses, and what the
parameters are afterwards.

Start weights and inputs come from a formula, so that the goldens stay small. Deep networks amplify rounding from step to step
unless they start well: the formula's gains keep what f32 and double give apart by less than the tests' tolerance, which
`make.py compare` shows. Needs torch and torchvision (Debian: python3-torch python3-torchvision). Writes NAME.json beside itself.
"""
import json
import math
import re
import sys
from pathlib import Path

import numpy
import torch
import torchvision
from torch import nn

STEPS, BATCHES = 20, 2


def seed_of(name: str) -> int:
    seed = 0
    for letter in name.encode():
        seed = (seed * 31 + letter) % 2**32
    return seed


def uniform(name: str, shape) -> numpy.ndarray:
    """In [-1, 1), a function of the name and the element's index."""
    index = numpy.arange(math.prod(shape), dtype=numpy.uint64)
    x = (index * numpy.uint64(2654435761) + numpy.uint64(seed_of(name))) & numpy.uint64(0xFFFFFFFF)
    x ^= x >> numpy.uint64(15)
    x = (x * numpy.uint64(2246822519)) & numpy.uint64(0xFFFFFFFF)
    x ^= x >> numpy.uint64(13)
    return (x.astype(numpy.float64) / 2**31 - 1).reshape(shape)


def pictures(name: str, shape) -> numpy.ndarray:
    """Noise; pictures get squares of one colour besides, so that each differs from the others after any pooling."""
    noise = uniform(name, shape)
    if len(shape) < 4:
        return noise
    rows, channels, height, width = shape
    squares = uniform(name + ".squares", (rows, channels, height // 16, width // 16))
    return 0.5 * noise + squares.repeat(16, 2).repeat(16, 3)


def numbers(name: str, shape, values: int) -> numpy.ndarray:
    """Integers below `values`."""
    return ((uniform(name, shape) + 1) / 2 * values).astype(numpy.int64)


def start_value(name: str, shape, gains) -> numpy.ndarray:
    if name.endswith("running_mean"):
        return numpy.zeros(shape)
    if name.endswith("running_var"):
        return numpy.ones(shape)
    gain = math.prod(factor for pattern, factor in gains if re.search(pattern, name))
    if len(shape) >= 2:
        return uniform(name, shape) * math.sqrt(6 / math.prod(shape[1:])) * gain
    return (uniform(name, shape) * 0.1 + (0 if name.endswith("bias") else 1)) * gain


def fill(model: nn.Module, gains) -> None:
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(torch.from_numpy(start_value(name, tuple(tensor.shape), gains).astype(numpy.float32)))


def groups(model: nn.Module, decay: float):
    """Weight decay spares norms and biases."""
    weights = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": weights, "weight_decay": decay}, {"params": rest, "weight_decay": 0}]


def samples(tensor: torch.Tensor):
    values = tensor.detach().double().flatten()
    at = [0, len(values) // 3, len(values) // 2, len(values) - 1]
    return {"norm": values.norm().item(), "values": [values[i].item() for i in at]}


def small_cnn() -> nn.Module:
    layers = [("conv1", nn.Conv2d(3, 8, 3, padding=1)), ("bn1", nn.BatchNorm2d(8)), ("relu1", nn.ReLU()),
              ("pool", nn.MaxPool2d(2)), ("conv2", nn.Conv2d(8, 16, 3, padding=1, bias=False)), ("bn2", nn.BatchNorm2d(16)),
              ("relu2", nn.ReLU()), ("gap", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", nn.Linear(16, 10))]
    model = nn.Sequential()
    for name, layer in layers:
        model.add_module(name, layer)
    return model


def mobilenet() -> nn.Module:
    model = torchvision.models.mobilenet_v2()
    model.classifier[0].p = 0
    return model


class Bert(nn.Module):
    """Hugging Face's BertForSequenceClassification by its names, without dropout: all tokens are seen and of type 0."""
    VOCABULARY, POSITIONS, TYPES, CLASSES, EPSILON = 30522, 512, 2, 2, 1e-12

    def __init__(self, layers: int, width: int, heads: int) -> None:
        super().__init__()
        def dense(inputs: int, outputs: int) -> nn.ModuleDict:
            return nn.ModuleDict({"dense": nn.Linear(inputs, outputs)})
        def normed(inputs: int) -> nn.ModuleDict:
            return nn.ModuleDict({"dense": nn.Linear(inputs, width), "LayerNorm": nn.LayerNorm(width, self.EPSILON)})
        def layer() -> nn.ModuleDict:
            attention = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
            return nn.ModuleDict({"attention": nn.ModuleDict({"self": nn.ModuleDict(attention), "output": normed(width)}),
                                  "intermediate": dense(width, 4 * width), "output": normed(4 * width)})
        rows = {"word": self.VOCABULARY, "position": self.POSITIONS, "token_type": self.TYPES}
        tables = {f"{name}_embeddings": nn.Embedding(count, width) for name, count in rows.items()}
        self.bert = nn.ModuleDict({"embeddings": nn.ModuleDict({**tables, "LayerNorm": nn.LayerNorm(width, self.EPSILON)}),
                                   "encoder": nn.ModuleDict({"layer": nn.ModuleList(layer() for _ in range(layers))}),
                                   "pooler": dense(width, width)})
        self.classifier = nn.Linear(width, self.CLASSES)
        self.heads = heads

    def attention(self, part: nn.ModuleDict, x: torch.Tensor) -> torch.Tensor:
        rows, tokens, width = x.shape
        q, k, v = (part[name](x).view(rows, tokens, self.heads, -1).transpose(1, 2) for name in ("query", "key", "value"))
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.heads)
        return (scores.softmax(3) @ v).transpose(1, 2).reshape(x.shape)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        part = self.bert["embeddings"]
        x = part["word_embeddings"](ids) + part["position_embeddings"].weight[:ids.shape[1]] + part["token_type_embeddings"].weight[0]
        x = part["LayerNorm"](x)
        for layer in self.bert["encoder"]["layer"]:
            part = layer["attention"]["output"]
            x = part["LayerNorm"](x + part["dense"](self.attention(layer["attention"]["self"], x)))
            inner = nn.functional.gelu(layer["intermediate"]["dense"](x))
            x = layer["output"]["LayerNorm"](x + layer["output"]["dense"](inner))
        return self.classifier(torch.tanh(self.bert["pooler"]["dense"](x[:, 0])))


# Ends of residuals are small, so that the gradient does not grow with depth.
MOBILENET_GAINS = [(r"^features\.(3|5|6|8|9|10|12|13|15|16)\.conv\.3\.", 0.1), (r"^features\.18\.1\.", 2), (r"^classifier\.1\.weight$", 0.02)]

CASES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), [], (16, 64), 10,
            lambda m: torch.optim.Adam(m.parameters(), lr=3e-3)),
    "cnn": (small_cnn, [], (8, 3, 16, 16), 10,
            lambda m: torch.optim.SGD(groups(m, 1e-3), lr=0.1, momentum=0.9, nesterov=True)),
    "mobilenet_v2": (mobilenet, MOBILENET_GAINS, (8, 3, 64, 64), 1000, lambda m: torch.optim.SGD(groups(m, 0), lr=0.002)),
    "bert": (lambda: Bert(2, 64, 4), [], (8, 16), Bert.CLASSES,
             lambda m: torch.optim.AdamW(groups(m, 0.01), lr=1e-3, eps=1e-5)),
    "resnet18": (torchvision.models.resnet18, [(r"^layer.*\.bn2\.", 0.2)], (8, 3, 64, 64), 1000,
                 lambda m: torch.optim.SGD(groups(m, 1e-4), lr=0.002, momentum=0.5)),
}


def run(build, gains, shape, classes, optimizer_of, dtype):
    model = build().train()
    fill(model, gains)
    model.to(dtype)
    optimizer = optimizer_of(model)
    def batch(name: str) -> torch.Tensor:
        if isinstance(model, Bert):
            return torch.from_numpy(numbers(name, shape, model.VOCABULARY))
        return torch.from_numpy(pictures(name, shape).astype(numpy.float32)).to(dtype)
    inputs = [batch(f"input{i}") for i in range(BATCHES)]
    labels = [torch.tensor([(7 * row + 3 * i) % classes for row in range(shape[0])]) for i in range(BATCHES)]
    losses, gradients = [], {}
    for step in range(STEPS):
        loss = nn.functional.cross_entropy(model(inputs[step % BATCHES]), labels[step % BATCHES])
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            gradients = {name: samples(parameter.grad) for name, parameter in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
    state = {name: samples(tensor) for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    return {"gains": gains, "losses": losses, "gradients": gradients, "parameters": state}


def apart(a, b) -> str:
    """The largest relative differences of two runs. A bias before a norm has no gradient but rounding: none in double."""
    def of(part: str, least: float) -> tuple:
        return max((abs(a[part][n]["norm"] / b[part][n]["norm"] - 1), n) for n in b[part] if b[part][n]["norm"] > least)
    largest = max(g["norm"] for g in b["gradients"].values())
    losses = max(abs(x / y - 1) for x, y in zip(a["losses"], b["losses"]))
    return f"losses {losses:.0e}, gradients {of('gradients', 1e-9 * largest)}, parameters {of('parameters', 0)}"


def main() -> None:
    """make.py [compare] [NAME...]"""
    torch.set_num_threads(1)
    words = sys.argv[1:]
    compare = words[:1] == ["compare"]
    for name, case in CASES.items():
        if words[compare:] and name not in words[compare:]:
            continue
        result = run(*case, torch.float64)
        first, last = result["losses"][0], result["losses"][-1]
        print(f"{name}: loss {first:.4f} to {last:.4f} ({last / first - 1:+.0%})")
        if compare:
            print("  f32 differs from double:", apart(run(*case, torch.float32), result))
        else:
            (Path(__file__).parent / f"{name}.json").write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
