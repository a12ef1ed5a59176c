#!/usr/bin/env python3
"""Every #include in src/ and include/temper/, and every DEPENDS of a layer, is allowed by the table in src/README.md."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR_HEADERS = re.compile(r"(oneapi/)?dnnl|cuda|cudnn|cublas|nvrtc|nvml|nccl|CL/|pjrt|hip/|mpi\.h|level_zero", re.IGNORECASE)


def folders() -> set[str]:
    """The layers: folders of src/, and each folder of src/devices/ by itself."""
    top = {p.name for p in (ROOT / "src").iterdir() if p.is_dir()}
    devices = {f"devices/{p.name}" for p in (ROOT / "src/devices").glob("*") if p.is_dir()}
    return (top - {"devices"}) | devices


def allowed(readme: str) -> dict[str, set[str]]:
    """Folder -> folders it may include, itself and what those may use in turn included."""
    block = re.search(r"Who may include whom.*?```\n(.*?)```", readme, re.DOTALL)
    if not block:
        sys.exit('src/README.md: there is no fenced table after "Who may include whom"')
    direct: dict[str, set[str]] = {}
    for entry in re.split(r"\s{2,}|\n", block[1].strip()):
        name, _, uses = entry.partition(": ")
        direct[name] = set(uses.split()) if not uses.startswith("all but") else {f"not {uses.split()[-1]}"}
    rules = {}
    for name in folders() | direct.keys():
        rules[name] = close(name, direct)
    return rules


def close(name: str, direct: dict[str, set[str]]) -> set[str]:
    found, waiting = set(), [name]
    while waiting:
        folder = waiting.pop()
        if folder in found:
            continue
        found.add(folder)
        row = direct.get("devices/x" if folder.startswith("devices/") else folder, set())
        for use in row:
            everything = (folders() | direct.keys()) - {"devices/x", folder, use.removeprefix("not ")}
            waiting += everything if use.startswith("not ") else [use]
    return found


def header_owners() -> dict[str, str]:
    rows = re.findall(r"^\| (\S+\.h) \| (\S+) \|$", (ROOT / "include/temper/README.md").read_text(), re.MULTILINE)
    return dict(rows)


def folder_of(path: Path, owners: dict[str, str]) -> str | None:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "include":
        return owners.get("/".join(parts[2:]))
    return "/".join(parts[1:3]) if parts[1] == "devices" else parts[1]


def target_of(include: str, known: set[str], owners: dict[str, str]) -> str | None:
    """The layer that an #include names, None for what is not ours."""
    if include.startswith("temper/"):
        return owners.get(include.removeprefix("temper/"), f"(no row in include/temper/README.md for {include})")
    parts = include.split("/")
    name = "/".join(parts[:2]) if parts[0] == "devices" else parts[0]
    return name if len(parts) > 1 and name in known else None


def check_file(path: Path, rules: dict[str, set[str]], owners: dict[str, str]) -> list[str]:
    place = path.relative_to(ROOT)
    folder = folder_of(path, owners)
    if folder is None:
        return [f"{place}: has no row in include/temper/README.md"]
    if folder not in rules:
        return [f"{place}: the folder {folder} has no row in src/README.md"]
    problems = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
        if not match:
            continue
        target = target_of(match[1], folders(), owners)
        if target and target not in rules[folder]:
            problems.append(f"{place}:{number}: {folder} may not include {target} ({match[1]})")
        if VENDOR_HEADERS.match(match[1]) and not target and not folder.startswith("devices/"):
            problems.append(f"{place}:{number}: a vendor's header outside src/devices ({match[1]})")
    return problems


def check_depends(path: Path, rules: dict[str, set[str]]) -> list[str]:
    problems = []
    for name, depends in re.findall(r"temper_layer\((\S+)\s+DEPENDS\s+([^)]*?)(?:\s+LIBRARIES[^)]*)?\)", path.read_text()):
        may = {use.replace("/", "_") for use in rules.get(name) or rules.get(name.split("/")[0], set())}
        for use in depends.split():
            if use.replace("/", "_") not in may and use.split("/")[0] not in may:
                problems.append(f"{path.relative_to(ROOT)}: {name} may not depend on {use}")
    return problems


def main() -> None:
    rules, owners = allowed((ROOT / "src/README.md").read_text()), header_owners()
    sources = [p for top in ("src", "include/temper") for p in sorted((ROOT / top).rglob("*")) if p.suffix in {".h", ".cpp", ".cu"}]
    problems = [problem for path in sources for problem in check_file(path, rules, owners)]
    problems += [problem for path in sorted((ROOT / "src").rglob("CMakeLists.txt")) for problem in check_depends(path, rules)]
    problems += [f"include/temper/README.md: {name} does not exist" for name in owners if not (ROOT / "include/temper" / name).is_file()]
    print("\n".join(problems) if problems else f"layers: {len(sources)} files keep to the table")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
