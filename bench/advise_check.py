#!/usr/bin/env python3
"""Step times as `temper advise --no-measure` predicts them, beside those that `temper bench` measures.

bench/advise_check.py [--plugin FILE] [--rounds N] [--seconds S] [--train] [--refresh] [--out FILE.jsonl] [MODEL@BATCH ...]

None of the models is in the calibration set (src/place/probes.cpp). A round measures each model on each device once; measured is
the median of the quietest round. The table gives predicted / measured: 1 is right, 0.8 to 1.25 within 25 %. The last lines say how many
are, and for each model whether the device that the predictions choose is the fastest or within 5 % of it.
"""
import argparse
import json
import os
import subprocess
from pathlib import Path

from run import ROOT, TEMPER, machine

MODELS = ["mlp:784-512-10@32", "cnn@8", "resnet18@1", "mobilenet_v2@1", "resnet50@2", "bert:4-256-4@2"]
DEVICES = ["cpu", "opencl", "pjrt:cpu"]
PLUGIN = next(iter(sorted(ROOT.glob("third_party/oracles/lib/python3*/site-packages/xla_plugins/*/*.so"))), None)


def temper(words: list[str], plugin: Path) -> dict:
    environment = os.environ | {"TEMPER_PJRT_PATH": str(plugin)}
    done = subprocess.run([TEMPER, *words, "--json", "--quiet"], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--plugin", type=Path, default=PLUGIN)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--refresh", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench/advise_check.jsonl")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    train = ["--train"] if options.train else []
    rows = []
    with open(options.out, "a") as out:
        print(json.dumps({"machine": machine(len(os.sched_getaffinity(0))), "train": options.train}), file=out)
        for name in options.models:
            model, _, batch = name.partition("@")
            refresh = ["--refresh"] if options.refresh and name == options.models[0] else []
            advice = temper(["advise", model, "--batch", batch or "1", "--no-measure", *train, *refresh], options.plugin)
            predicted = {c["device"]: c["ms_per_step"] for c in advice["candidates"] if c["device"] in DEVICES and c["ms_per_step"]}
            measured: dict[str, list[float]] = {device: [] for device in predicted}
            for _ in range(options.rounds):
                for device in predicted:
                    words = ["bench", model, "--batch", batch or "1", "--device", device, "--duration", str(options.seconds), "--no-peaks", *train]
                    measured[device].append(temper(words, options.plugin)["median_ms"])
            for device in predicted:
                row = {"model": name, "device": device, "predicted_ms": predicted[device], "measured_ms": min(measured[device])}
                rows.append(row)
                print(json.dumps(row), file=out, flush=True)
                print(f"{name:20} {device:9} predicted {row['predicted_ms']:9.3f} ms  measured {row['measured_ms']:9.3f} ms  "
                      f"{row['predicted_ms'] / row['measured_ms']:.2f}", flush=True)
    within = sum(0.8 <= row["predicted_ms"] / row["measured_ms"] <= 1.25 for row in rows)
    print(f"within 25 %: {within} of {len(rows)}")
    for name in options.models:
        here = [row for row in rows if row["model"] == name]
        chosen = min(here, key=lambda row: row["predicted_ms"])
        best = min(here, key=lambda row: row["measured_ms"])
        print(f"{name:20} chosen {chosen['device']:9} {chosen['measured_ms'] / best['measured_ms']:.2f} x the fastest ({best['device']})")


if __name__ == "__main__":
    main()
