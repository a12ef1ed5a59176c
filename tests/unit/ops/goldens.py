#!/usr/bin/env python3
"""Writes goldens.h: what PyTorch computes in double for the inputs that composites_test.cpp makes by the same formula.

Run with any PyTorch of 2.0 or newer: python3 goldens.py > goldens.h
"""
import math

import torch
from torch.nn import functional as F

GOLDENS = {}


def wave(shape, phase):
    """sin(0.7 i + phase) for element i in row-major order."""
    count = math.prod(shape)
    return torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + phase).reshape(shape).requires_grad_()


def record(name, tensor):
    GOLDENS[name] = tensor.detach().double().flatten().tolist()


def gradients(name, y, phase, **inputs):
    """Records y and the gradients of sum(wave * y) by input."""
    record(name + ".y", y)
    grads = torch.autograd.grad((y * wave(y.shape, phase).detach()).sum(), list(inputs.values()))
    for (key, _), grad in zip(inputs.items(), grads):
        record(f"{name}.d{key}", grad)


def convolutions():
    x, w, bias = wave((1, 2, 5, 4), 0.1), wave((4, 1, 3, 2), 0.2), wave((4,), 0.3)
    y = F.conv2d(x, w, bias, stride=(2, 1), padding=(1, 1), dilation=(1, 2), groups=2)
    gradients("conv2d", y, 0.4, x=x, w=w, bias=bias)


def pools():
    x = wave((1, 1, 5, 6), 0.1)
    gradients("max_pool", F.max_pool2d(x, 3, 2, 1), 0.4, x=x)
    ties = torch.round(wave((1, 1, 5, 6), 0.1)).detach().requires_grad_()
    gradients("max_pool_ties", F.max_pool2d(ties, 3, 2, 1), 0.4, x=ties)
    gradients("avg_pool", F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), 0.4, x=x)
    gradients("avg_pool_padding", F.avg_pool2d(x, (2, 3), (1, 2), (1, 1)), 0.4, x=x)


def losses():
    x = wave((3, 4), 0.1)
    gradients("softmax", torch.softmax(3 * x, 1), 0.4, x=x)
    gradients("log_softmax", torch.log_softmax(3 * x, 0), 0.4, x=x)
    labels = torch.tensor([2, -1, 0])
    loss = F.cross_entropy(x, labels, ignore_index=-1, label_smoothing=0.1, reduction="none")
    gradients("cross_entropy", loss, 0.4, logits=x)


def norms():
    x, scale, bias = wave((2, 2, 3), 0.1), wave((2, 3), 0.2), wave((2, 3), 0.3)
    y = F.layer_norm(x, (2, 3), scale, bias, 1e-3)
    gradients("layer_norm", y, 0.4, x=x, scale=scale, bias=bias)
    gradients("rms_norm", F.rms_norm(x, (3,), scale[0], 1e-3), 0.4, x=x)
    x, scale, bias = wave((2, 3, 2), 0.1), wave((3,), 0.2), wave((3,), 0.3)
    mean, variance = wave((3,), 0.5).detach(), wave((3,), 0.6).detach() ** 2 + 0.5
    y = F.batch_norm(x, mean.clone(), variance.clone(), scale, bias, training=False, eps=1e-3)
    gradients("batch_norm_infer", y, 0.4, x=x, scale=scale, bias=bias)
    y = F.batch_norm(x, mean, variance, scale, bias, training=True, momentum=0.1, eps=1e-3)
    gradients("batch_norm_train", y, 0.4, x=x, scale=scale, bias=bias)


def activations():
    x = (4 * wave((11,), 0.1)).detach().requires_grad_()
    gradients("gelu", F.gelu(x), 0.4, x=x)
    gradients("gelu_tanh", F.gelu(x, approximate="tanh"), 0.4, x=x)


def resizes():
    x = wave((1, 1, 4, 5), 0.1)
    gradients("resize_linear", F.interpolate(x, (6, 7), mode="bilinear"), 0.4, x=x)
    record("resize_corners", F.interpolate(x, (6, 7), mode="bilinear", align_corners=True))
    record("resize_cubic", F.interpolate(x, (6, 7), mode="bicubic"))
    record("resize_nearest", F.interpolate(x, (6, 7), mode="nearest"))


def main():
    for part in (convolutions, pools, losses, norms, activations, resizes):
        part()
    print("#pragma once\n// Written by goldens.py.\n#include <map>\n#include <string_view>\n#include <vector>\n")
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
        print(f'    {{"{name}",\n     {{' + "\n      ".join(lines) + "}},")
    print("};\n// clang-format on\n\n}  // namespace temper")


main()
