#!/usr/bin/env python3
"""What a run costs, counted rather than timed, against the ceilings in bench/baseline.json.

bench/guard.py plans|instructions [WORKLOAD ...] [--update] [--program build/bin/temper]

plans: launches, launches that only move memory, bytes and memory as planned, and reorders in oneDNN's own words.
instructions: those of one run under valgrind's callgrind, which has neither AVX-512 nor noise.
Each set of instructions of a processor has ceilings of its own, for its kernels want other layouts.

Above a ceiling fails. So does what lies far below, that the ceiling comes down together with the cost: --update writes what was found.
"""
import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / "bench/baseline.json"
SHARED = Path(os.environ.get("TEMPER_SHARED", ROOT.parent / "shared"))
SKIPPED = 77
BELOW = 0.05  # of a ceiling: further below, it has to come down
NOISE = 0.03  # of instructions


class Skip(Exception):
    """It cannot be counted here; says why."""


def bench(program: list[str], command: str, threads: int, iterations: int, environment: dict[str, str]) -> list[str]:
    """The lines that `temper bench` wrote, to standard output first."""
    words = [*program, "bench", *command.split(), "--json", "--no-peaks", "--threads", str(threads), "--iterations", str(iterations)]
    # GOMP_SPINCOUNT: else the program begins anew to set it, and leaves a tool that runs it behind.
    environment = {**os.environ, "GOMP_SPINCOUNT": "2000", "OMP_NUM_THREADS": str(threads), **environment}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return (done.stdout + done.stderr).splitlines()


def unpacked(command: str, folder: str) -> str:
    """The command with its model as a plain file: SHARED is the data beside the repository."""
    model, *rest = command.split()
    file = ROOT / model.replace("SHARED", str(SHARED))
    if "/" not in model:
        return command
    if not file.exists():
        raise Skip(f"there is no {file}")
    if file.suffix == ".gz":
        plain = Path(folder) / file.stem
        plain.write_bytes(gzip.decompress(file.read_bytes()))
        file = plain
    return " ".join([str(file), *rest])


def plan_of(program: str, command: str) -> dict[str, int]:
    """The plan by our own account, and the reorders by which a run of three more differs."""
    runs = {}
    for iterations in (1, 4):
        lines = bench([program], command, 2, iterations, {"ONEDNN_VERBOSE": "1"})
        runs[iterations] = sum(",exec," in line and ",reorder," in line for line in lines)
    result = next(json.loads(line) for line in lines if line.startswith("{"))
    return {**result["plan"], "onednn_reorders": (runs[4] - runs[1]) // 3}


def instructions_of(program: str, command: str) -> dict[str, int]:
    """By which 20 more runs differ, a twentieth of it. One thread, for others spin while they wait."""
    if not shutil.which("valgrind"):
        raise Skip("there is no valgrind")

    def collected(iterations: int) -> int:
        with tempfile.TemporaryDirectory() as folder:
            tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counts", program]
            said = "\n".join(bench(tool, command, 1, iterations, {}))
        found = re.search(r"Collected : (\d+)", said)
        if not found:
            sys.exit(f"callgrind gave no count: {said[-2000:]}")
        return int(found.group(1))
    with ThreadPoolExecutor() as both:
        few, many = both.map(collected, (1, 21))
    return {"instructions": (many - few) // 20}


def complaints(ceilings: dict[str, int], found: dict[str, int], noise: float) -> list[str]:
    lines = []
    for key, value in found.items():
        ceiling = ceilings.get(key)
        if ceiling is None:
            lines.append(f"{key} {value} has no ceiling")
        elif value > ceiling * (1 + noise):
            lines.append(f"{key} rose to {value}, the ceiling is {ceiling}")
        elif value < ceiling * (1 - BELOW):
            lines.append(f"{key} fell to {value}, so the ceiling of {ceiling} must come down")
    return lines


def isa(program: str) -> str:
    """Layouts and scratch memory differ from one instruction set to another, but not with its extensions."""
    devices = json.loads(subprocess.run([program, "devices", "--json"], capture_output=True, check=True).stdout)["devices"]
    return devices[0]["facts"]["isa"].split("+")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["plans", "instructions"])
    parser.add_argument("workloads", nargs="*", help="names in bench/baseline.json (default: all)")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--program", default=str(ROOT / "build/bin/temper"))
    options = parser.parse_args()
    baseline = json.loads(BASELINE.read_text())
    kind = "avx2" if options.kind == "instructions" else isa(options.program)
    known = {key for row in baseline[options.kind].values() for key in row} - {"command"}
    if kind not in known and not options.update:
        print(f"skipped, because there are ceilings for {', '.join(sorted(known))}, this is {kind}")
        sys.exit(SKIPPED)
    count, noise = (plan_of, 0) if options.kind == "plans" else (instructions_of, NOISE)
    counted = failed = 0
    for name, row in baseline[options.kind].items():
        if options.workloads and name not in options.workloads:
            continue
        try:
            with tempfile.TemporaryDirectory() as folder:
                found = count(options.program, unpacked(row["command"], folder))
        except Skip as reason:
            print(f"{name}: skipped, because {reason}")
            continue
        counted += 1
        wrong = complaints(row.get(kind, {}), found, noise)
        failed += bool(wrong)
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in found.items()))
        for line in wrong:
            print(f"  {line}")
        if wrong and not options.update:
            print(f"  if that is meant: bench/guard.py {options.kind} {name} --update")
        row[kind] = found
    if options.update:
        BASELINE.write_text(text_of(baseline))
    elif failed:
        sys.exit(1)
    elif not counted:
        sys.exit(SKIPPED)


def text_of(baseline: dict) -> str:
    """One line for what changes together, so that a change shows what changed."""
    parts = []
    for kind, workloads in baseline.items():
        rows = []
        for name, row in workloads.items():
            lines = ",\n".join(f"      {json.dumps(key)}: {json.dumps(value)}" for key, value in row.items())
            rows.append(f"    {json.dumps(name)}: {{\n{lines}\n    }}")
        parts.append(f"  {json.dumps(kind)}: {{\n" + ",\n".join(rows) + "\n  }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
