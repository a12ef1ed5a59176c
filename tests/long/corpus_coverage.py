#!/usr/bin/env python3
"""A fuzz target's committed corpus runs through most lines of the files its source names after `// Covers: `."""
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/coverage"
LEAST = 0.80


def covered_files(target: str) -> list[str]:
    match = re.search(r"^// Covers: (.+)$", (ROOT / f"tests/fuzz/{target}.cpp").read_text(), re.MULTILINE)
    patterns = match[1].split() if match else []
    return [str(path.relative_to(ROOT)) for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def replay(target: str) -> None:
    """Builds and runs the replay program, counting afresh."""
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "coverage"], cwd=ROOT, check=True)
    subprocess.run(["cmake", "--build", BUILD, "--target", f"replay_{target}"], check=True)
    for counts in BUILD.rglob("*.gcda"):
        counts.unlink()
    subprocess.run([BUILD / f"bin/replay_{target}", ROOT / f"tests/fuzz/corpus/{target}"], check=True)


def line_counts(source: str) -> dict[int, int]:
    """How often each line of `source` ran, over all objects that hold code of it."""
    counts: dict[int, int] = {}
    for data in BUILD.rglob(f"{Path(source).name}.gcda"):
        report = subprocess.run(["gcov", "--json-format", "--stdout", data], cwd=BUILD, check=True, capture_output=True).stdout
        for entry in json.loads(report)["files"]:
            if entry["file"].endswith(source):
                for line in entry["lines"]:
                    counts[line["line_number"]] = counts.get(line["line_number"], 0) + line["count"]
    return counts


def main() -> None:
    if sys.argv[1] == "list":
        targets = sorted(path.stem for path in (ROOT / "tests/fuzz").glob("*.cpp"))
        print("\n".join(f"60 {target}" for target in targets if covered_files(target)))
        return
    replay(sys.argv[1])
    ran = lines = 0
    for source in covered_files(sys.argv[1]):
        counts = line_counts(source)
        missed = [number for number, count in sorted(counts.items()) if not count]
        print(f"{source}: {len(counts) - len(missed)} of {len(counts)} lines; not {missed}")
        ran, lines = ran + len(counts) - len(missed), lines + len(counts)
    print(f"the corpus covers {ran / max(lines, 1):.1%}, at least {LEAST:.0%} wanted")
    sys.exit(lines == 0 or ran / lines < LEAST)


if __name__ == "__main__":
    main()
