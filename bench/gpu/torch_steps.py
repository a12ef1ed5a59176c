"""A training step in PyTorch on the GPU: torch_steps.py MODEL BATCH VARIANT SECONDS prints {"ms": median}.

A variant is words: eager, compile or graph (the whole step captured), bf16 (autocast), channels_last. SGD with momentum 0.9, cross-entropy.
"""
import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

model_name, batch, variant, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(), float(sys.argv[4])
torch.manual_seed(0)


def conv(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)


class Residual(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            layers = [conv(inputs, width, 1), nn.BatchNorm2d(width), nn.ReLU(), conv(width, width, 3, stride), nn.BatchNorm2d(width), nn.ReLU(),
                      conv(width, outputs, 1), nn.BatchNorm2d(outputs)]
        else:
            layers = [conv(inputs, width, 3, stride), nn.BatchNorm2d(width), nn.ReLU(), conv(width, width, 3), nn.BatchNorm2d(width)]
        self.body = nn.Sequential(*layers)
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.skip(x))


def resnet(blocks: list[int], bottleneck: bool) -> nn.Module:
    layers: list[nn.Module] = [conv(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for i in range(count):
            layers.append(Residual(channels, width, 2 if stage > 0 and i == 0 else 1, bottleneck))
            channels = 4 * width if bottleneck else width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


class Inverted(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expand: int):
        super().__init__()
        wide = inputs * expand
        layers = [conv(inputs, wide, 1), nn.BatchNorm2d(wide), nn.ReLU6()] if expand > 1 else []
        layers += [conv(wide, wide, 3, stride, wide), nn.BatchNorm2d(wide), nn.ReLU6(), conv(wide, outputs, 1), nn.BatchNorm2d(outputs)]
        self.body, self.same = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.same else self.body(x)


def mobilenet_v2() -> nn.Module:
    layers: list[nn.Module] = [conv(3, 32, 3, 2), nn.BatchNorm2d(32), nn.ReLU6()]
    channels = 32
    for expand, outputs, count, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(count):
            layers.append(Inverted(channels, outputs, stride if i == 0 else 1, expand))
            channels = outputs
    layers += [conv(channels, 1280, 1), nn.BatchNorm2d(1280), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers)


def cnn() -> nn.Module:
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*block(3, 32), *block(32, 64), nn.Flatten(), nn.Linear(4096, 512), nn.ReLU(), nn.Linear(512, 10))


class Bert(nn.Module):
    def __init__(self, layers: int = 12, width: int = 768, heads: int = 12):
        super().__init__()
        self.tokens, self.places, self.norm = nn.Embedding(30522, width), nn.Embedding(512, width), nn.LayerNorm(width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0, activation="gelu", batch_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False), nn.Linear(width, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.norm(self.tokens(tokens) + self.places.weight[:tokens.shape[1]]))[:, 0])


MODELS = {  # model, input, classes
    "mlp:784-128-10": (lambda: nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)), (784,), 10),
    "cnn": (cnn, (3, 32, 32), 10),
    "resnet18": (lambda: resnet([2, 2, 2, 2], False), (3, 224, 224), 1000),
    "resnet50": (lambda: resnet([3, 4, 6, 3], True), (3, 224, 224), 1000),
    "mobilenet_v2": (mobilenet_v2, (3, 224, 224), 1000),
    "bert:12-768-12": (Bert, (128,), 2),
}


def main() -> None:
    make, shape, classes = MODELS[model_name]
    model = make().cuda().train()
    x = torch.randint(0, 30522, (batch, *shape), device="cuda") if model_name.startswith("bert") else torch.randn(batch, *shape, device="cuda")
    y = torch.randint(0, classes, (batch,), device="cuda")
    if "channels_last" in variant and x.dim() == 4:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, foreach=True)
    forward = torch.compile(model) if "compile" in variant else model

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled="bf16" in variant):
            loss = F.cross_entropy(forward(x), y)
        loss.backward()
        optimizer.step()

    run = step
    if "graph" in variant:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            step()
        run = graph.replay
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    print(json.dumps({"ms": statistics.median(times) * 1e3}))


main()
