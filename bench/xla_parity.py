#!/usr/bin/env python3
"""Training steps on one PJRT plug-in, ours beside JAX's: the same step, each in its own text, compiled and run by the same file.

bench/xla_parity.py [--plugin FILE] [--python INTERPRETER] [--rounds N] [--seconds S] [--out FILE.jsonl] [MODEL ...]

A round is our process, then JAX's with activations channels-last ("NHWC") and channels-first ("NCHW"). The table gives medians over the
rounds and ours over the faster of JAX's: below 1 we are faster. JAX lives in build/bench as for ./run bench.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from run import ROOT, TEMPER, interpreter, machine

MODELS = {"mlp:784-128-10": "adam", "cnn": "adam", "resnet18": "sgd"}
LAYOUTS = ["NHWC", "NCHW"]
BATCH = 32
PLUGIN = next(iter(sorted(ROOT.glob("third_party/oracles/lib/python3*/site-packages/xla_plugins/*/*.so"))), None)


def ours(model: str, plugin: Path, seconds: float) -> dict:
    command = [TEMPER, "bench", model, "--train", "--batch", str(BATCH), "--optimizer", MODELS[model], "--duration", str(seconds),
               "--device", f"pjrt:{plugin}", "--json", "--quiet"]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {key: result[key] for key in ("median_ms", "p99_ms", "compile_seconds", "loss_first", "loss_last")}


def theirs(python: str, model: str, layout: str, plugin: Path, seconds: float) -> dict:
    command = [python, Path(__file__).with_name("xla_parity_jax.py"), model, layout, MODELS[model], str(BATCH), str(seconds), plugin]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--plugin", type=Path, default=PLUGIN)
    parser.add_argument("--python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench/xla_parity.jsonl")
    options = parser.parse_args()
    python = options.python or interpreter("jax", {})
    options.out.parent.mkdir(parents=True, exist_ok=True)
    facts = machine(len(os.sched_getaffinity(0))) | {"plugin": options.plugin.name, "peers": ["jax==0.10.2", "jaxlib==0.10.2", "xla-cpu-pjrt==0.0.1"]}
    rows = []
    with open(options.out, "a") as out:
        print(json.dumps({"machine": facts}), file=out)
        for model in options.models:
            measured: dict[str, list[float]] = {}
            for _ in range(options.rounds):
                for name in ["ours", *(LAYOUTS[:1] if model.startswith("mlp") else LAYOUTS)]:
                    result = (ours(model, options.plugin, options.seconds) if name == "ours"
                              else theirs(python, model, name, options.plugin, options.seconds))
                    measured.setdefault(name, []).append(result["median_ms"])
                    print(json.dumps({"model": model, "batch": BATCH, "who": name, **result}), file=out, flush=True)
            medians = {name: statistics.median(times) for name, times in measured.items()}
            best = min(value for name, value in medians.items() if name != "ours")
            rows.append((model, medians, medians["ours"] / best))
    for model, medians, ratio in rows:
        print(f"{model:16} " + "  ".join(f"{name} {value:.3f} ms" for name, value in medians.items()) + f"  ratio {ratio:.2f}")
    sys.exit(0)


if __name__ == "__main__":
    main()
