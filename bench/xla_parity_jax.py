"""xla_parity_jax.py MODEL LAYOUT OPTIMIZER BATCH SECONDS PLUGIN: JAX's own step of the model through a PJRT plug-in; a line of JSON."""
import os
import sys

model, layout, optimizer, batch, seconds, plugin = sys.argv[1:]
os.environ["PJRT_NAMES_AND_LIBRARY_PATHS"] = f"plugin:{plugin}"
os.environ["JAX_PLATFORMS"] = "plugin"
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

BATCH = int(batch)
LAST = layout == "NHWC"
CHANNEL = 3 if LAST else 1
random = np.random.default_rng(0)


def weights(*shape: int) -> np.ndarray:
    return (random.standard_normal(shape) * (2 / np.prod(shape[:-1])) ** 0.5).astype(np.float32)


def conv(x, w, stride=1, padding=1):  # w: [height, width, in, out]
    return lax.conv_general_dilated(x, w, (stride, stride), [(padding, padding)] * 2, dimension_numbers=(layout, "HWIO", layout))


def by_channel(vector):
    return vector if LAST else vector[:, None, None]


def max_pool(x, window, stride, padding):
    full = (lambda n: (1, n, n, 1)) if LAST else (lambda n: (1, 1, n, n))
    pads = [(0, 0), (padding, padding), (padding, padding), (0, 0)] if LAST else [(0, 0), (0, 0), (padding, padding), (padding, padding)]
    return lax.reduce_window(x, -jnp.inf, lax.max, full(window), full(stride), pads)


def mlp(p, s, x):
    return jax.nn.relu(x @ p["w0"] + p["b0"]) @ p["w1"] + p["b1"], s


def mlp_start():
    return {"w0": weights(784, 128), "b0": np.zeros(128, np.float32), "w1": weights(128, 10), "b1": np.zeros(10, np.float32)}, {}


def cnn(p, s, x):
    for i in range(2):
        x = max_pool(jax.nn.relu(conv(x, p[f"c{i}"]) + by_channel(p[f"a{i}"])), 2, 2, 0)
    return mlp(p, s, x.reshape(BATCH, -1))


def cnn_start():
    p = {"c0": weights(3, 3, 3, 32), "a0": np.zeros(32, np.float32), "c1": weights(3, 3, 32, 64), "a1": np.zeros(64, np.float32)}
    return p | {"w0": weights(4096, 512), "b0": np.zeros(512, np.float32), "w1": weights(512, 10), "b1": np.zeros(10, np.float32)}, {}


class ResNet18:
    """Makes parameters while it is called without any."""

    def __init__(self, p, s):
        self.p, self.s, self.fresh, self.make = p, s, {}, not p

    def conv_norm(self, name, x, channels, window, stride):
        if self.make:
            ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
            self.p |= {f"{name}.w": weights(window, window, x.shape[CHANNEL], channels), f"{name}.g": ones, f"{name}.b": zeros}
            self.s |= {f"{name}.m": zeros, f"{name}.v": ones}
        x = conv(x, self.p[f"{name}.w"], stride, window // 2)
        axes = tuple(i for i in range(4) if i != CHANNEL)
        mean, variance = jnp.mean(x, axes), jnp.var(x, axes)
        count = x.size // channels
        for key, value in ((f"{name}.m", mean), (f"{name}.v", variance * count / (count - 1))):
            self.fresh[key] = 0.9 * self.s[key] + 0.1 * value
        scale = self.p[f"{name}.g"] * lax.rsqrt(variance + 1e-5)
        return (x - by_channel(mean)) * by_channel(scale) + by_channel(self.p[f"{name}.b"])

    def __call__(self, x):
        x = max_pool(jax.nn.relu(self.conv_norm("stem", x, 64, 7, 2)), 3, 2, 1)
        for stage in range(4):
            for block in range(2):
                name, channels, stride = f"{stage}.{block}", 64 << stage, 2 if stage > 0 and block == 0 else 1
                y = jax.nn.relu(self.conv_norm(f"{name}.0", x, channels, 3, stride))
                y = self.conv_norm(f"{name}.1", y, channels, 3, 1)
                if stride == 2:
                    x = self.conv_norm(f"{name}.d", x, channels, 1, 2)
                x = jax.nn.relu(x + y)
        if self.make:
            self.p |= {"w": weights(512, 1000), "b": np.zeros(1000, np.float32)}
        return jnp.mean(x, (1, 2) if LAST else (2, 3)) @ self.p["w"] + self.p["b"]


def resnet18(p, s, x):
    net = ResNet18(p, s)
    return net(x), net.fresh


def resnet18_start():
    net = ResNet18({}, {})
    net(jnp.zeros((1, 224, 224, 3) if LAST else (1, 3, 224, 224)))
    return net.p, net.s


def loss_of(p, s, x, y):
    scores, s = NETS[model][0](p, s, x)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], axis=1)), (s, jnp.sum(scores.argmax(1) == y))


def step(state, x, y):
    p, s, first, second, steps = state
    (loss, (s, correct)), gradient = jax.value_and_grad(loss_of, has_aux=True)(p, s, x, y)
    steps = steps + 1
    if optimizer == "sgd":
        first = jax.tree.map(lambda m, g: 0.9 * m + g, first, gradient)
        p = jax.tree.map(lambda p, m: p - 1e-2 * m, p, first)
    else:
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
        p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), p, first, second)
    return (p, s, first, second, steps), loss, correct


NETS = {"mlp:784-128-10": (mlp, mlp_start, (784,), 10), "cnn": (cnn, cnn_start, (3, 32, 32), 10),
        "resnet18": (resnet18, resnet18_start, (3, 224, 224), 1000)}


def main() -> None:
    _, start, sample, classes = NETS[model]
    p, s = start()
    zeros = jax.tree.map(np.zeros_like, p)
    state = jax.device_put((p, s, zeros, {} if optimizer == "sgd" else zeros, jnp.zeros((), jnp.float32)))
    shape = (*sample[1:], sample[0]) if LAST and len(sample) == 3 else sample
    x = jax.device_put(random.uniform(-1, 1, (BATCH, *shape)).astype(np.float32))
    y = jax.device_put(random.integers(0, classes, BATCH).astype(np.int32))
    with jax.default_matmul_precision("highest"):
        begin = time.perf_counter()
        run = jax.jit(step, donate_argnums=0).lower(state, x, y).compile()
        compiled = time.perf_counter() - begin
    losses, times = [], []
    while len(times) < 5 or time.perf_counter() - begin < float(seconds):
        once = time.perf_counter()
        state, loss, correct = run(state, x, y)
        jax.block_until_ready((state, loss, correct))
        times.append(time.perf_counter() - once)
        losses.append(float(loss))
        if len(times) == 2 and len(losses) == 2:
            times, begin = [], time.perf_counter()  # two to warm up
    times.sort()
    print(json.dumps({"median_ms": times[len(times) // 2] * 1e3, "p99_ms": times[min(len(times) - 1, int(0.99 * len(times)))] * 1e3,
                      "compile_seconds": compiled, "loss_first": losses[0], "loss_last": losses[-1]}))


if __name__ == "__main__":
    main()
