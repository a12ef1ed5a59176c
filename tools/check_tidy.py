#!/usr/bin/env python3
"""clang-tidy-19, findings being errors, over the files given or those changed since a commit.

A header stands for the .cpp files that include it, up to three of them. With --seconds no new file is begun after that
time, and how many were left is said; `./run long` checks the whole tree.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def changed_since(base: str) -> list[str]:
    command = ["git", "diff", "--name-only", "--diff-filter=d", base]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()


def users_of(header: str, units: list[str]) -> list[str]:
    include = '"' + header.removeprefix("src/").removeprefix("include/").removeprefix("tests/") + '"'
    return [unit for unit in units if include in (ROOT / unit).read_text(errors="replace")][:3]


def check(unit: str, build: str, deadline: float) -> tuple[str, bool | None, str]:
    """File, whether it is clean (None: left out for time), what clang-tidy said."""
    if time.monotonic() > deadline:
        return unit, None, ""
    command = ["clang-tidy-19", "-p", build, "--quiet", unit]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return unit, done.returncode == 0, done.stdout if done.returncode == 0 else done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help=".cpp or .h, or a folder")
    parser.add_argument("--base", help="check what changed since this commit")
    parser.add_argument("--build", default="build", help="folder with compile_commands.json")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    options = parser.parse_args()

    entries = json.loads((ROOT / options.build / "compile_commands.json").read_text())
    units = sorted({os.path.relpath(os.path.join(e["directory"], e["file"]), ROOT) for e in entries})
    units = [unit for unit in units if not unit.startswith(("..", "build"))]
    wanted = set()
    for name in options.files + (changed_since(options.base) if options.base else []):
        name = os.path.normpath(name)
        wanted.update(unit for unit in units if unit == name or unit.startswith(name + "/"))
        if name.endswith(".h"):
            wanted.update(users_of(name, units))

    deadline = time.monotonic() + options.seconds
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda unit: check(unit, options.build, deadline), sorted(wanted)))
    for unit, clean, text in results:
        if clean is False:
            print(text.strip() or f"{unit}: clang-tidy failed")
    bad = [unit for unit, clean, _ in results if clean is False]
    left = [unit for unit, clean, _ in results if clean is None]
    print(f"tidy: {len(results) - len(left)} files, {len(bad)} with findings" + (f", {len(left)} left for want of time" if left else ""))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
