"""JAX's part; common.py says how it is called. Adam by hand; `lax.scan` runs a whole epoch in one call, "step" a call a step."""
import os

os.environ["JAX_PLATFORMS"] = "cpu"
import common
from common import variant, workload

import jax
import jax.numpy as jnp
import numpy as np

SCAN = "scan" in variant
RATE, BETA1, BETA2, TINY = 1e-3, 0.9, 0.999, 1e-8


def dense(key: jax.Array, inputs: int, outputs: int) -> dict:
    bound = inputs ** -0.5
    return {"w": jax.random.uniform(key, (inputs, outputs), minval=-bound, maxval=bound), "b": jnp.zeros(outputs)}


def mlp(layers: list[dict], x: jax.Array) -> jax.Array:
    for layer in layers[:-1]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return x @ layers[-1]["w"] + layers[-1]["b"]


def with_adam(net):
    """(state, (x, y)) -> (state, loss), where state is (parameters, first moments, second moments, steps)."""
    def loss_of(parameters, x, y):
        scores = jax.nn.log_softmax(net(parameters, x))
        return -jnp.mean(jnp.take_along_axis(scores, y[:, None], axis=1))

    def step(state, batch):
        parameters, first, second, steps = state
        loss, gradient = jax.value_and_grad(loss_of)(parameters, *batch)
        steps = steps + 1
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradient)
        rate = RATE * jnp.sqrt(1 - BETA2 ** steps) / (1 - BETA1 ** steps)
        parameters = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + TINY), parameters, first, second)
        return (parameters, first, second, steps), loss
    return step


def runner(net):
    """(state, xs, ys) -> state over batches [steps, batch, ...], donating the state."""
    step = with_adam(net)
    if SCAN:
        epoch = jax.jit(lambda state, xs, ys: jax.lax.scan(step, state, (xs, ys))[0], donate_argnums=0)
        return lambda state, xs, ys: jax.block_until_ready(epoch(state, xs, ys))
    one = jax.jit(step, donate_argnums=0)

    def run(state, xs, ys):
        for x, y in zip(xs, ys):
            state, _ = one(state, (x, y))
        return jax.block_until_ready(state)
    return run


def start_of(parameters):
    def zeros():
        return jax.tree.map(jnp.zeros_like, parameters)
    return parameters, zeros(), zeros(), jnp.zeros((), jnp.int32)


def mlp_start():
    keys = jax.random.split(jax.random.key(0))
    return start_of([dense(keys[0], 784, 128), dense(keys[1], 128, 10)])


def mnist_job() -> None:
    x, y = common.mnist("train")
    y = y.astype(np.int32)
    state, run, random = mlp_start(), runner(mlp), np.random.default_rng(0)
    for _ in range(10):
        order = random.permutation(len(x))
        state = run(state, x[order].reshape(-1, 32, 784), y[order].reshape(-1, 32))
    test_x, test_y = common.mnist("t10k")
    scores = np.asarray(jax.jit(mlp)(state[0], test_x))
    common.finish(accuracy=float((scores.argmax(1) == test_y).mean()))


def steps_of(net, state, shape: tuple[int, ...], steps: int) -> None:
    """An epoch of so many steps is one call; batches lie in memory as the framework wants them."""
    random = np.random.default_rng(0)
    xs, ys = random.random((steps, *shape), np.float32), random.integers(0, 10, (steps, shape[0]), np.int32)
    if SCAN:
        xs, ys = jnp.asarray(xs), jnp.asarray(ys)
    run = runner(net)

    def epoch() -> None:
        nonlocal state
        state = run(state, xs, ys)
    common.finish_steps(epoch, steps * shape[0])


if workload == "w1":
    mnist_job()
else:
    steps_of(mlp, mlp_start(), (32, 784), 1000)
