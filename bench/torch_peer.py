"""PyTorch's part: `torch_peer.py WORKLOAD VARIANT DATA THREADS` does one measurement in this process.

A step prints {"value": samples per second}; a whole job prints what it found, and its seconds are taken from outside.
"""
import gzip
import json
import os
import sys
import time

workload, variant, data, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(threads)
torch.manual_seed(0)
CHANNELS_LAST = "channels_last" in variant


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn() -> nn.Module:
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*block(3, 32), *block(32, 64), nn.Flatten(), nn.Linear(4096, 512), nn.ReLU(), nn.Linear(512, 10))


def photo_net(name: str) -> nn.Module:
    import torchvision
    return getattr(torchvision.models, name)(weights=None)


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def measure_step(model: nn.Module, optimizer: torch.optim.Optimizer, shape: tuple[int, ...], classes: int) -> None:
    """The median step of four seconds after two to warm up, as `temper bench` does."""
    x, y = torch.rand(shape), torch.randint(0, classes, shape[:1])
    if CHANNELS_LAST:
        x = x.to(memory_format=torch.channels_last)
    for _ in range(2):
        train(model, optimizer, x, y)
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < 4:
        begin = time.perf_counter()
        train(model, optimizer, x, y)
        times.append(time.perf_counter() - begin)
    print(json.dumps({"value": shape[0] / sorted(times)[len(times) // 2]}))


def step_of(name: str) -> None:
    if name == "mlp":
        return measure_step(model := mlp(), adam(model), (32, 784), 10)
    model = cnn() if name == "cnn" else photo_net(name)
    if CHANNELS_LAST:
        model = model.to(memory_format=torch.channels_last)
    if name == "cnn":
        return measure_step(model, adam(model), (32, 3, 32, 32), 10)
    sgd = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, fused=True)
    measure_step(model.train(), sgd, (16 if name == "resnet50" else 32, 3, 224, 224), 1000)


def mnist_part(part: str) -> tuple[torch.Tensor, torch.Tensor]:
    def read(name: str, header: int) -> np.ndarray:
        with gzip.open(f"{data}/mnist/{part}-{name}.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header).copy()
    images = torch.from_numpy(read("images-idx3-ubyte", 16)).reshape(-1, 784).float() / 255
    return images, torch.from_numpy(read("labels-idx1-ubyte", 8)).long()


def mnist_job() -> None:
    x, y = mnist_part("train")
    model = mlp()
    optimizer = adam(model)
    for _ in range(10):
        order = torch.randperm(len(x))
        for batch_x, batch_y in zip(x[order].split(32), y[order].split(32)):
            train(model, optimizer, batch_x, batch_y)
    test_x, test_y = mnist_part("t10k")
    with torch.inference_mode():
        print(json.dumps({"accuracy": (model(test_x).argmax(1) == test_y).float().mean().item()}))


def photo_loader(part: str) -> torch.utils.data.DataLoader:
    from torchvision import datasets, transforms
    prepare = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor(),
                                  transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    return torch.utils.data.DataLoader(datasets.ImageFolder(f"{data}/clothing10/{part}", prepare), batch_size=32,
                                       shuffle=part == "train", num_workers=2, persistent_workers=True)


def photo_job() -> None:
    body = photo_net("mobilenet_v2")
    width, body.classifier = body.last_channel, nn.Identity()
    body = body.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    head = nn.Sequential(nn.Linear(width, 1024), nn.ReLU(), nn.Linear(1024, 10))
    optimizer = adam(head)

    def features(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return body(x.to(memory_format=torch.channels_last))

    loader = photo_loader("train")
    if "cached" in variant:
        pairs = [(features(x), y) for x, y in loader]
        all_x, all_y = torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])
    for _ in range(10):
        if "cached" in variant:
            order = torch.randperm(len(all_x))
            for x, y in zip(all_x[order].split(32), all_y[order].split(32)):
                train(head, optimizer, x, y)
        else:
            for x, y in loader:
                train(head, optimizer, features(x), y)
    right = sum((head(features(x)).argmax(1) == y).sum().item() for x, y in photo_loader("val"))
    print(json.dumps({"right": right}))


STEPS = {"w1.step": "mlp", "w2": "cnn"}
if workload == "w1":
    mnist_job()
elif workload == "w3":
    photo_job()
else:
    step_of(STEPS.get(workload) or workload.removeprefix("w4."))
