#!/usr/bin/env python3
"""Writes goldens.h: losses, updates and learning rates of PyTorch, shapes of torchvision's models.

Run with any PyTorch of 2.0 or newer and torchvision: python3 goldens.py > goldens.h
"""
import math

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler

GOLDENS = {}


def wave(shape, phase):
    """sin(0.7 i + phase) for element i in row-major order."""
    count = math.prod(shape)
    return torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + phase).reshape(shape)


def losses():
    x, target = 3 * wave((3, 4), 0.1), wave((3, 4), 0.2)
    labels, bits = torch.tensor([2, 3, 0]), (target > 0).double()
    each = lambda f: f.mean(1).tolist()
    GOLDENS["cross_entropy"] = F.cross_entropy(x, labels, reduction="none").tolist()
    GOLDENS["cross_entropy_smoothed"] = F.cross_entropy(x, labels, label_smoothing=0.1, reduction="none").tolist()
    GOLDENS["cross_entropy_shares"] = F.cross_entropy(
        x, torch.softmax(target, 1), label_smoothing=0.1, reduction="none").tolist()
    GOLDENS["nll"] = F.nll_loss(torch.log_softmax(x, 1), labels, reduction="none").tolist()
    GOLDENS["bce"] = each(F.binary_cross_entropy_with_logits(x, bits, reduction="none"))
    GOLDENS["bce_probabilities"] = each(F.binary_cross_entropy(torch.sigmoid(x), bits, reduction="none"))
    GOLDENS["mse"] = each(F.mse_loss(x, target, reduction="none"))
    GOLDENS["mae"] = each(F.l1_loss(x, target, reduction="none"))
    GOLDENS["huber"] = each(F.huber_loss(x, target, reduction="none"))


def optimizers():
    configurations = {
        "sgd": lambda p: torch.optim.SGD(p, 0.1),
        "sgd_decay": lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.2),
        "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.2),
        "nesterov": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.2, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.2),
        "adamw": lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.2),
        "rmsprop": lambda p: torch.optim.RMSprop(p, 0.1, weight_decay=0.2),
        "rmsprop_momentum": lambda p: torch.optim.RMSprop(p, 0.1, momentum=0.9),
        "adagrad": lambda p: torch.optim.Adagrad(p, 0.1, weight_decay=0.2),
    }
    for name, make in configurations.items():
        parameter = nn.Parameter(wave((4,), 0.1))
        optimizer = make([parameter])
        for step in range(5):
            parameter.grad = wave((4,), 0.3 * step)
            optimizer.step()
        GOLDENS["optimizer_" + name] = parameter.tolist()


def schedules():
    def rates(make, steps, values=None):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.4)
        scheduler, found = make(optimizer), []
        for step in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step(*([values[step]] if values else []))
        return found

    GOLDENS["step"] = rates(lambda o: lr_scheduler.StepLR(o, 3, 0.5), 10)
    GOLDENS["cosine"] = rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 8), 9)
    GOLDENS["warmup"] = rates(lambda o: lr_scheduler.LinearLR(o, 0.25, 1, 3), 6)
    values = [1.0, 0.9, 0.95, 0.9, 0.91, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
    GOLDENS["plateau"] = rates(
        lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.1, patience=2, threshold=0), len(values), values)


def batch_norm():
    norm = nn.BatchNorm1d(3, eps=1e-3, momentum=0.1).double()
    with torch.no_grad():
        norm.running_mean.copy_(wave((3,), 0.5))
        norm.running_var.copy_(wave((3,), 0.6) ** 2)
    norm(wave((2, 3, 2), 0.1))
    GOLDENS["running_mean"], GOLDENS["running_var"] = norm.running_mean.tolist(), norm.running_var.tolist()


def cnn():
    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4096, 512), nn.ReLU(), nn.Linear(512, 10)).double()
    with torch.no_grad():
        for phase, parameter in enumerate(net.parameters()):
            parameter.copy_(0.05 * wave(parameter.shape, phase).float().double())
        GOLDENS["cnn"] = net(wave((1, 3, 32, 32), 0.1).float().double())[0].tolist()


def fingerprint(state):
    """FNV-1a of the lines "name dimension dimension ...", sorted by name."""
    value = 0xCBF29CE484222325
    for name in sorted(state):
        if not name.endswith("num_batches_tracked"):
            for byte in (" ".join([name, *map(str, state[name].shape)]) + "\n").encode():
                value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def main():
    for part in (losses, optimizers, schedules, batch_norm, cnn):
        part()
    print("#pragma once\n// Written by goldens.py.\n#include <cstdint>\n#include <map>\n#include <string_view>\n#include <vector>\n")
    print("namespace temper {\n\n// clang-format off")
    print("inline const std::map<std::string_view, std::vector<double>> kGoldens{")
    for name, values in GOLDENS.items():
        lines, line = [], ""
        for value in values:
            text = f"{value:.16g}"
            if len(line) + len(text) > 100:
                lines.append(line.rstrip())
                line = ""
            line += text + ", "
        lines.append(line.rstrip(", "))
        print(f'    {{"{name}", {{' + "\n      ".join(lines) + "}},")
    print("};\n\ninline const std::map<std::string_view, uint64_t> kFingerprints{")
    for name in ("resnet18", "resnet34", "resnet50", "mobilenet_v2"):
        print(f'    {{"{name}", {fingerprint(getattr(torchvision.models, name)().state_dict())}u}},')
    print("};\n// clang-format on\n\n}  // namespace temper")


main()
