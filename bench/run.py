#!/usr/bin/env python3
"""Speed beside other libraries: the same work, ours and theirs in turn, so that what slows the machine slows both.

./run bench [--workload w1,w2 ...] [--peer torch] [--pairs N] [--data DIR] [--out FILE.jsonl]

A measurement is one process. The table gives the median over the pairs, and the median of the pairs' ratios: above 1 we are
faster. Raw lines go to --out. Peers live in build/bench (made from bench/requirements-*.txt by pip), unless --python names one.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from workloads import Workload, workloads

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = ROOT / "build/bench"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="", help="names, comma-separated, or beginnings of names (default: all)")
    parser.add_argument("--peer", default="torch")
    parser.add_argument("--variant", default="", help="only peers' variants that contain this text")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TEMPER_SHARED", ROOT.parent / "shared")) / "data")
    parser.add_argument("--python", default="", help="an interpreter that has the peer")
    parser.add_argument("--out", type=Path, default=WORK / "results.jsonl")
    return parser.parse_args()


def peer_python(peer: str) -> str:
    """The interpreter of a peer's environment, made first if it is absent."""
    requirements, folder = HERE / f"requirements-{peer}.txt", WORK / peer
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        print(f"making {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        (folder / "complete").touch()
    return str(python)


def machine() -> dict:
    model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    devices = subprocess.run([ROOT / "build/bin/temper", "devices", "--json"], capture_output=True, text=True, check=True)
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(), "devices": json.loads(devices.stdout)["devices"]}


def run(command: list[str], environment: dict) -> tuple[float, dict]:
    """Seconds of the whole process, and the JSON of its last line."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    output, errors = child.communicate()
    seconds = time.perf_counter() - start
    if child.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{errors[-2000:]}")
    return seconds, json.loads(output.strip().splitlines()[-1])


def measure_ours(workload: Workload, threads: int) -> float:
    environment = {**os.environ, "TEMPER_CACHE": str(WORK / "cache")}
    shutil.rmtree(WORK / "cache", ignore_errors=True)  # nothing of an earlier run may help
    command = [str(ROOT / "build/bin/temper"), *workload.ours.split(), "--threads", str(threads), "--json"]
    seconds, result = run(command, environment)
    return result[workload.key] if workload.key else seconds


def measure_peer(script: Path, python: str, name: str, variant: str, data: Path, threads: int) -> float:
    seconds, result = run([python, str(script), name, variant, str(data), str(threads)], dict(os.environ))
    return result.get("value", seconds)


def gain(workload: Workload, ours: float, theirs: float) -> float:
    return theirs / ours if workload.less_is_better else ours / theirs


def main() -> None:
    options = arguments()
    if not options.data.is_dir():
        sys.exit(f"bench: no folder {options.data}; --data names the one with mnist/ and clothing10/")
    WORK.mkdir(parents=True, exist_ok=True)
    if not (WORK / "clothing10").exists():
        tarfile.open(options.data / "clothing10/clothing10.tar").extractall(WORK, filter="data")
        shutil.rmtree(WORK / "clothing10/test")  # the work is training and one validation
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    python = options.python or peer_python(options.peer)
    wanted = options.workload.split(",")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with options.out.open("a") as out:
        print(json.dumps({"machine": machine(), "threads": options.threads}), file=out, flush=True)
        for name, workload in workloads(options.data, WORK).items():
            if not any(name.startswith(beginning) for beginning in wanted):
                continue
            for variant in workload.peers.get(options.peer, []):
                if options.variant not in variant:
                    continue
                pairs = []
                for pair in range(options.pairs):
                    print(f"{name}, {options.peer} {variant}: pair {pair + 1} of {options.pairs}", file=sys.stderr)
                    ours = measure_ours(workload, options.threads)
                    data = WORK if name == "w3" else options.data
                    theirs = measure_peer(HERE / f"{options.peer}_peer.py", python, name, variant, data, options.threads)
                    pairs.append((ours, theirs))
                    print(json.dumps({"workload": name, "unit": workload.unit, "peer": options.peer, "variant": variant,
                                      "ours": ours, "theirs": theirs}), file=out, flush=True)
                ratios = [gain(workload, *pair) for pair in pairs]
                ours, theirs = (statistics.median(values) for values in zip(*pairs))
                rows.append((name, f"{options.peer} {variant}", workload.unit, f"{ours:.4g}", f"{theirs:.4g}",
                             f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}"))
    print("| workload | peer | unit | ours | theirs | ratio | spread |\n|---|---|---|---:|---:|---:|---:|")
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))


if __name__ == "__main__":
    main()
