#!/usr/bin/env python3
"""The frozen part of a model on XLA while its head trains on the processor, each on one processor of its own: the time of both at once beside their sum.

bench/unlike.py [--plugin FILE] [--rounds N] [--head STEPS] [--out FILE.jsonl]

A round is three runs of one epoch over the shipped pictures, features computed anew in each: all on XLA with a head of one layer, of which the frozen
part counts; all on the processor, of which training counts; both at once, of which the whole epoch counts. The sum of the first two is what one after
the other takes.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from run import ROOT, TEMPER, machine
from xla_parity import PLUGIN

DATA = ROOT / "examples/data"
HEAD = "gap," + 8 * "dense:2048:relu," + "dense"


def keep_apart(process: subprocess.Popen) -> None:
    """The thread that trains goes to one processor, all others, which XLA has made for the one that it saw, to another."""
    while process.poll() is None:
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            try:
                os.sched_setaffinity(int(thread.name), {1 if int(thread.name) == process.pid else 0})
            except OSError:  # it is gone
                pass
        time.sleep(0.02)


def tune(device: str, head: str, work: Path) -> dict:
    shutil.rmtree(work / "cache/frozen", ignore_errors=True)  # features, not what was compiled
    command = [TEMPER, "tune", DATA / "mobilenet_v1_0.25_224.onnx", "--data", DATA / "clothing10", "--head", head, "--epochs", "1", "--val-split", "0",
               "--batch", "16", "--optimizer", "sgd", "--preprocess", "short:256,crop:224,mean:127.5,std:127.5", "--threads", "1", "--device", device,
               "--out", work / "run", "--overwrite", "--quiet"]
    process = subprocess.Popen(command, env=os.environ | {"TEMPER_CACHE": str(work / "cache")}, preexec_fn=lambda: os.sched_setaffinity(0, {0}))
    keep_apart(process)
    if process.returncode != 0:
        raise SystemExit(f"{device}: exit code {process.returncode}")
    return json.loads((work / "run/result.json").read_text())["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugin", type=Path, default=PLUGIN)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--head", default=HEAD)
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench/unlike.jsonl")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    xla, rows = f"pjrt:{options.plugin}", []
    with tempfile.TemporaryDirectory() as folder, open(options.out, "a") as out:
        print(json.dumps({"machine": machine(1), "plugin": options.plugin.name, "head": options.head}), file=out)
        tune(xla, "gap,dense", Path(folder))  # compiles
        for _ in range(options.rounds):
            frozen = tune(xla, "gap,dense", Path(folder))["frozen"]
            head = tune("cpu", options.head, Path(folder))["train"]
            both = tune(f"frozen={xla},head=cpu", options.head, Path(folder))
            rows.append({"frozen": frozen, "head": head, "both": both["train"], "overlapped": both["overlapped"]})
            print(json.dumps(rows[-1]), file=out, flush=True)
    frozen, head, both = (statistics.median(row[name] for row in rows) for name in ("frozen", "head", "both"))
    print(f"frozen part {frozen:.2f} s, head {head:.2f} s, both at once {both:.2f} s: {both / (frozen + head):.2f} of the sum")


if __name__ == "__main__":
    main()
