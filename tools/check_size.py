#!/usr/bin/env python3
"""Files stay small, the repository stays light, and nothing in it names a machine or a package registry."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = {".h", ".cpp", ".cc", ".cu", ".def", ".proto", ".py", ".sh", ".cmake", ".v"}
LONG, TOO_LONG, ROOT_CMAKE, TOTAL_BYTES = 500, 1000, 200, 25_000_000
MACHINE_PATH = re.compile(r"(?<![\w.}])/(work|farm|root|home/[a-z]+|tmp/[a-z]+)/")
REGISTRY = re.compile(r"(pypi|pythonhosted|npmjs|crates|deb\.debian|security\.debian|snapshot\.debian)\.(org|io|com)")


def check_source(name: str, text: str) -> list[str]:
    problems = []
    lines = text.splitlines()
    if name == "CMakeLists.txt" and len(lines) > ROOT_CMAKE:
        problems.append(f"{name}: {len(lines)} lines, at most {ROOT_CMAKE}")
    if Path(name).suffix in SOURCE and len(lines) > TOO_LONG:
        problems.append(f"{name}: {len(lines)} lines, at most {TOO_LONG}")
    elif Path(name).suffix in SOURCE and len(lines) > LONG and not any("Long because " in line for line in lines[:10]):
        problems.append(f"{name}: {len(lines)} lines; over {LONG} wants a line `// Long because ...` among the first ten")
    for number, line in enumerate(lines, 1):
        if MACHINE_PATH.search(line):
            problems.append(f"{name}:{number}: a path of one machine: {line.strip()[:100]}")
        if REGISTRY.search(line):
            problems.append(f"{name}:{number}: the address of a package registry: {line.strip()[:100]}")
    return problems


def main() -> None:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    problems, total = [], 0
    names = [name for name in listing.split("\0") if name and (ROOT / name).is_file()]
    for name in names:
        data = (ROOT / name).read_bytes()
        total += len(data)
        if b"\0" not in data[:8192]:
            problems += check_source(name, data.decode("utf-8", "replace"))
    if total > TOTAL_BYTES:
        problems.append(f"tracked files hold {total} bytes, at most {TOTAL_BYTES}")
    print("\n".join(problems) if problems else f"size: {len(names)} files, {total / 1e6:.1f} MB")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
