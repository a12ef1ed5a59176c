#!/usr/bin/env python3
"""Writes goldens.txt: nodes with the results that NumPy and PyTorch give for them (needs both).

Each case is a graph in temper's text form whose outputs come in pairs: what the node gives, and what it must give.
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

DTYPES = {"float64": "f64", "float32": "f32", "float16": "f16", "int64": "i64", "int32": "i32", "int8": "i8",
          "uint8": "u8", "uint32": "u32", "uint64": "u64", "bool": "bool"}
CASES = []


def number(value):
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return str(int(value) - (int(value) >= 2**63) * 2**64)  # u64 prints as its bits


def tensor(array):
    array = np.asarray(array)
    type_ = f"{DTYPES[str(array.dtype)]}[{', '.join(map(str, array.shape))}]"
    return type_, f"tensor {type_} {{{', '.join(number(v) for v in array.reshape(-1))}}}"


def attribute(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if value.startswith("shape[") or value in DTYPES.values() else f'"{value}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(str, value))}]"
    return str(value)


def case(name, op, inputs, outputs, **attributes):
    """One node: `inputs` and `outputs` are arrays."""
    inputs, outputs = [np.asarray(x) for x in inputs], [np.asarray(y) for y in outputs]
    lines = ["temper.graph 1"]
    for i, array in enumerate(inputs + outputs):
        type_, text = tensor(array)
        lines.append(f"%{i} = constant@1() {{value={text}}} : {type_}")
    node, count = len(inputs) + len(outputs), len(outputs)
    text = ", ".join(f"{k}={attribute(v)}" for k, v in sorted(attributes.items()))
    operands = ", ".join(f"%{i}" for i in range(len(inputs)))
    types = ", ".join(tensor(y)[0] for y in outputs)
    lines.append(f"%{node} = {op}@1({operands}){' {' + text + '}' if text else ''} : {types}")
    for i in range(count):
        lines.append(f'out "found.{i}" %{node}{"." + str(i) if count > 1 else ""}')
        lines.append(f'out "expected.{i}" %{len(inputs) + i}')
    CASES.append(f"# {op}: {name}\n" + "\n".join(lines) + "\n")


def wave(*shape, step=0.7, offset=0.0):
    """Values in [-2, 2] that need no file."""
    return 2 * np.sin(step * np.arange(int(np.prod(shape))) + offset).reshape(shape)


def rounded(array):
    return np.round(array * 16) / 16


def unary():
    x = rounded(wave(7))
    positive = np.abs(x) + 0.25
    for op, f in {"abs": np.abs, "neg": np.negative, "sign": np.sign, "exp": np.exp, "expm1": np.expm1, "sin": np.sin,
                  "cos": np.cos, "tanh": np.tanh, "floor": np.floor, "ceil": np.ceil}.items():
        case("floats", op, [x], [f(x)])
    for op, f in {"log": np.log, "log1p": np.log1p, "sqrt": np.sqrt}.items():
        case("floats", op, [positive], [f(positive)])
    case("floats", "rsqrt", [positive], [1 / np.sqrt(positive)])
    case("floats", "sigmoid", [x], [torch.sigmoid(torch.tensor(x)).numpy()])
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.25])
    case("halves to even", "round", [halves], [np.round(halves)])
    lowest = np.array([-128, -1, 0, 127], np.int8)
    case("the lowest stays", "abs", [lowest], [np.array([-128, 1, 0, 127], np.int8)])
    case("wraps", "neg", [np.array([1, 0, 255], np.uint8)], [np.array([255, 0, 1], np.uint8)])
    case("bits", "logical_not", [np.array([5, 0], np.uint8)], [np.array([250, 255], np.uint8)])
    case("truth", "logical_not", [np.array([True, False])], [np.array([False, True])])
    odd = np.array([1.0, np.inf, -np.inf])
    case("infinities", "is_finite", [odd], [np.isfinite(odd)])


def binary():
    x, y = rounded(wave(9)), rounded(wave(9, step=1.3, offset=0.4)) + 0.03125
    for op, f in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "rem": np.fmod,
                  "max": np.maximum, "min": np.minimum}.items():
        case("floats", op, [x, y], [f(x, y)])
    case("floats", "pow", [np.abs(x) + 0.5, y], [np.power(np.abs(x) + 0.5, y)])
    a, b = np.array([7, -7, 7, -7, -128, 5], np.int8), np.array([2, 2, -2, -2, -1, 0], np.int8)
    case("integers truncate, by 0 is 0", "div", [a, b], [np.array([3, -3, -3, 3, -128, 0], np.int8)])
    case("integers have the sign of x", "rem", [a, b], [np.array([1, -1, 1, -1, 0, 0], np.int8)])
    case("wraps", "add", [np.array([100], np.int8), np.array([100], np.int8)], [np.array([-56], np.int8)])
    case("wraps", "mul", [np.array([2**31 - 1], np.int32), np.array([2], np.int32)], [np.array([-2], np.int32)])
    case("integers", "pow", [np.array([2, -3, 1, -1, 2], np.int64), np.array([10, 3, -5, -3, -1], np.int64)],
         [np.array([1024, -27, 1, -1, 0], np.int64)])
    big = np.array([2**63, 1], np.uint64)
    case("above 2^63", "max", [big, big[::-1].copy()], [np.array([2**63, 2**63], np.uint64)])
    case("above 2^63", "div", [big, np.array([2, 1], np.uint64)], [np.array([2**62, 1], np.uint64)])
    m, n = np.array([0b1100, 0b1010], np.uint8), np.array([0b1010, 0b0110], np.uint8)
    for op, f in {"bit_and": np.bitwise_and, "bit_or": np.bitwise_or, "bit_xor": np.bitwise_xor}.items():
        case("bits", op, [m, n], [f(m, n)])
    s, by = np.array([-8, -8, 5, 5], np.int8), np.array([1, 8, 1, 9], np.int8)
    case("beyond the width", "shift_left", [s, by], [np.array([-16, 0, 10, 0], np.int8)])
    case("zeros enter", "shift_right_logical", [s, by], [np.array([124, 0, 2, 0], np.int8)])
    case("signs enter", "shift_right_arithmetic", [s, by], [np.array([-4, -1, 2, 0], np.int8)])


def mixed():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    for direction, f in {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
                         "ge": np.greater_equal}.items():
        case(direction, "compare", [x, y], [f(x, y)], direction=direction)
    case("unsigned", "compare", [np.array([2**63], np.uint64), np.array([1], np.uint64)], [np.array([True])], direction="gt")
    case("by place", "select", [np.array([True, False, True]), x, y], [np.array([1.0, 2.0, 3.0])])
    case("truncates and saturates", "convert", [np.array([1.9, -1.9, 300.0, -300.0, np.inf])],
         [np.array([1, -1, 127, -128, 127], np.int8)], dtype="i8")
    case("wraps", "convert", [np.array([300, -1], np.int32)], [np.array([44, 255], np.uint8)], dtype="u8")
    fine = np.array([0.1, 65519.0, 1e-8, 2049.0])
    case("rounds to half", "convert", [fine], [fine.astype(np.float16)], dtype="f16")
    case("truth", "convert", [np.array([0.0, 0.5, -1.0])], [np.array([False, True, True])], dtype="bool")
    case("of f32", "bitcast", [np.array([1.0, -2.0], np.float32)],
         [np.array([1.0, -2.0], np.float32).view(np.uint32)], dtype="u32")


def move():
    x = wave(2, 3, 4)
    case("rows of four", "reshape", [x], [x.reshape(6, 4)], shape="shape[6, 4]")
    case("last first", "transpose", [x], [x.transpose(2, 0, 1)], permutation=[2, 0, 1])
    v = wave(3)
    case("along the middle", "broadcast_in_dim", [v], [np.broadcast_to(v[None, :, None], (2, 3, 2))], axes=[1],
         shape="shape[2, 3, 2]")
    m = wave(2, 3)
    case("axes change places", "broadcast_in_dim", [m], [m.T], axes=[1, 0], shape="shape[3, 2]")
    case("strided", "slice", [x], [x[:, 1:3, ::2]], starts=[0, 1, 0], limits=[2, 3, 9223372036854775807], strides=[1, 1, 2])
    case("gaps and crops", "pad", [np.arange(1.0, 6.0), np.array(9.0)],
         [np.array([9.0, 2.0, 9.0, 3.0, 9.0, 4.0, 9.0, 5.0, 9.0, 9.0])], low=[-1], high=[2], interior=[1])
    case("columns", "concat", [m, m[:, :1]], [np.concatenate([m, m[:, :1]], 1)], axis=1)
    case("two axes", "reverse", [x], [x[::-1, :, ::-1]], axes=[0, 2])
    case("columns", "iota", [], [np.broadcast_to(np.arange(3.0), (2, 3))], axis=1, dtype="f64", shape="shape[2, 3]")
    case("of the middle", "dimension_size", [x], [np.array(3, np.int64)], axis=1, dtype="i64")


def index():
    x = wave(5, 3)
    rows = np.array([[4, 0], [2, 9]], np.int64)
    case("rows, one beyond the end", "gather", [x, rows], [x[np.minimum(rows, 4)]], offset_dims=[2], collapsed_slice_dims=[0],
         start_index_map=[0], index_vector_dim=2, slice_sizes=[1, -1])
    points = np.array([[1, 2], [4, 0]], np.int64)
    case("points", "gather", [x, points], [x[points[:, 0], points[:, 1]]], offset_dims=[], collapsed_slice_dims=[0, 1],
         start_index_map=[0, 1], index_vector_dim=1, slice_sizes=[1, 1])
    updates = wave(3, 3, offset=1.0)
    places = np.array([1, 1, 7], np.int64)
    added = x.copy()
    np.add.at(added, places[:2], updates[:2])
    dims = dict(update_window_dims=[1], inserted_window_dims=[0], scatter_dims_to_operand_dims=[0], index_vector_dim=1)
    case("twice in one place, once outside", "scatter", [x, places, updates], [added], kind="add", **dims)
    written = x.copy()
    written[1] = updates[1]
    case("the last wins", "scatter", [x, places, updates], [written], kind="set", **dims)
    highest = x.copy()
    np.maximum.at(highest, places[:2], updates[:2])
    case("the highest", "scatter", [x, places, updates], [highest], kind="max", **dims)
    case("moved inside", "dynamic_slice", [x, np.array([4, -1], np.int64)], [x[3:5, 0:2]], sizes=[2, 2])
    changed = x.copy()
    changed[3:5, 0:2] = updates[:2, :2]
    case("moved inside", "dynamic_update_slice", [x, updates[:2, :2], np.array([4, -1], np.int64)], [changed])


def reduce():
    x = wave(2, 3, 4)
    for kind, f in {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}.items():
        case(f"{kind} over two axes", "reduce", [x], [f(x, axis=(0, 2))], axes=[0, 2], kind=kind)
    truth = np.array([[True, False], [True, True]])
    case("all", "reduce", [truth], [truth.all(1)], axes=[1], kind="and")
    case("any", "reduce", [truth], [truth.any(1)], axes=[1], kind="or")
    case("highest of none", "reduce", [np.zeros((2, 0))], [np.full(2, -np.inf)], axes=[1], kind="max")
    ties = np.array([[1.0, 3.0, 3.0, 0.0]])
    case("first of equals", "arg_reduce", [ties], [np.array([1], np.int64)], axis=1, kind="max", dtype="i64", last=False)
    case("last of equals", "arg_reduce", [ties], [np.array([2], np.int64)], axis=1, kind="max", dtype="i64", last=True)
    picture = torch.tensor(wave(1, 2, 5, 6))
    ones = dict(low=[0, 0, 1, 1], high=[0, 0, 1, 1], window=[1, 1, 3, 3], strides=[1, 1, 2, 2])
    case("max pooling", "reduce_window", [picture.numpy()], [F.max_pool2d(picture, 3, 2, 1).numpy()],
         dilations=[1, 1, 1, 1], kind="max", **ones)
    case("sums", "reduce_window", [picture.numpy()],
         [F.avg_pool2d(picture, 3, 2, 1, count_include_pad=True).numpy() * 9], dilations=[1, 1, 1, 1], kind="sum", **ones)
    case("dilated max", "reduce_window", [picture.numpy()], [F.max_pool2d(picture, 2, 1, dilation=2).numpy()],
         low=[0] * 4, high=[0] * 4, window=[1, 1, 2, 2], strides=[1] * 4, dilations=[1, 1, 2, 2], kind="max")
    keys, carried = np.array([[2, 1, 2, 0]], np.int32), np.array([[0, 1, 2, 3]], np.int64)
    up = np.argsort(keys, axis=1, kind="stable")
    case("stable", "sort", [keys, carried], [np.take_along_axis(keys, up, 1), up], axis=1, descending=False)
    case("down, stable", "sort", [keys, carried], [np.array([[2, 2, 1, 0]], np.int32), np.array([[0, 2, 1, 3]], np.int64)],
         axis=1, descending=True)


def contract():
    x, y = wave(2, 3, 4), wave(2, 4, 5, step=0.3)
    case("batched", "dot_general", [x, y], [x @ y], x_batch=[0], y_batch=[0], x_contract=[2], y_contract=[1])
    case("two axes", "dot_general", [x, wave(4, 5, 3)], [np.einsum("abc,cdb->ad", x, wave(4, 5, 3))], x_batch=[], y_batch=[],
         x_contract=[1, 2], y_contract=[2, 0])
    case("wraps", "dot_general", [np.array([100, 100], np.int8), np.array([2, 1], np.int8)], [np.array(44, np.int8)],
         x_batch=[], y_batch=[], x_contract=[0], y_contract=[0])

    def conv(name, x, w, y, strides, low, high, x_dilation, w_dilation, groups=1):
        case(name, "conv_general", [x, w], [y.numpy()], strides=strides, low=low, high=high, x_dilation=x_dilation,
             w_dilation=w_dilation, groups=groups, batch_groups=1)

    t = torch.tensor
    x, w = wave(2, 4, 6, 5), wave(6, 2, 3, 2, step=0.9)
    conv("strided, dilated, grouped", x, w, F.conv2d(t(x), t(w), stride=(2, 1), padding=(1, 1), dilation=(1, 2), groups=2),
         [2, 1], [1, 1], [1, 1], [1, 1], [1, 2], 2)
    x, w = wave(1, 2, 7), wave(3, 2, 3, step=0.9)
    conv("one axis", x, w, F.conv1d(t(x), t(w), padding=1), [1], [1], [1], [1], [1])
    x, w = wave(1, 1, 3, 4, 3), wave(2, 1, 2, 2, 2, step=0.9)
    conv("three axes", x, w, F.conv3d(t(x), t(w)), [1] * 3, [0] * 3, [0] * 3, [1] * 3, [1] * 3)
    x, w = wave(1, 3, 3, 3), wave(3, 2, 3, 3, step=0.9)
    turned = np.flip(w, (2, 3)).transpose(1, 0, 2, 3).copy()
    conv("transposed", x, turned, F.conv_transpose2d(t(x), t(w), stride=2), [1, 1], [2, 2], [2, 2], [2, 2], [1, 1])


for family in (unary, binary, mixed, move, index, reduce, contract):
    family()
(pathlib.Path(__file__).parent / "goldens.txt").write_text("\n".join(CASES))
