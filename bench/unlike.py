#!/usr/bin/env python3
"""The frozen part of a model on XLA, one thread, while its head trains on the processor, one thread: the time of both at once beside their sum.

bench/unlike.py [--plugin FILE] [--rounds N] [--head STEPS] [--out FILE.jsonl]

A round is three runs of one epoch over the shipped pictures, features computed anew in each: all on XLA, of which the frozen part counts; all on
the processor, of which training counts; both at once, of which the whole epoch counts. The sum of the first two is what one after the other takes.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from run import ROOT, TEMPER, machine
from xla_parity import PLUGIN

DATA = ROOT / "examples/data"


def tune(device: str, head: str, work: Path) -> dict:
    shutil.rmtree(work / "cache/frozen", ignore_errors=True)  # features, not what was compiled
    command = [TEMPER, "tune", DATA / "mobilenet_v1_0.25_224.onnx", "--data", DATA / "clothing10", "--head", head, "--epochs", "1", "--val-split", "0",
               "--preprocess", "short:256,crop:224,mean:127.5,std:127.5", "--threads", "1", "--device", device, "--out", work / "run", "--overwrite",
               "--json", "--quiet"]
    # XLA takes one thread of its pool, and none beside it for products.
    environment = os.environ | {"TEMPER_CACHE": str(work / "cache"), "NPROC": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout)["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugin", type=Path, default=PLUGIN)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--head", default="flatten,dense:1024:relu,dense")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench/unlike.jsonl")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    xla, rows = f"pjrt:{options.plugin}", []
    with tempfile.TemporaryDirectory() as folder, open(options.out, "a") as out:
        print(json.dumps({"machine": machine(1), "plugin": options.plugin.name, "head": options.head}), file=out)
        tune(f"frozen={xla},head=cpu", options.head, Path(folder))  # compiles
        tune(xla, options.head, Path(folder))
        for _ in range(options.rounds):
            frozen = tune(xla, options.head, Path(folder))["frozen"]
            head = tune("cpu", options.head, Path(folder))["train"]
            both = tune(f"frozen={xla},head=cpu", options.head, Path(folder))
            rows.append({"frozen": frozen, "head": head, "both": both["train"], "overlapped": both["overlapped"]})
            print(json.dumps(rows[-1]), file=out, flush=True)
    frozen, head, both = (statistics.median(row[name] for row in rows) for name in ("frozen", "head", "both"))
    print(f"frozen part {frozen:.2f} s, head {head:.2f} s, both at once {both:.2f} s: {both / (frozen + head):.2f} of the sum")


if __name__ == "__main__":
    main()
