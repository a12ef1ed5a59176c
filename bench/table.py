"""Raw lines of a run as a table for people."""
from statistics import geometric_mean, median

HEAD = ["workload", "beside", "unit", "ours", "theirs", "ratio", "spread", "of peak", "memory MiB", "first s"]


def gain(line: dict) -> float:
    ours, theirs = line["ours"]["value"], line["theirs"]["value"]
    return theirs / ours if line["unit"] in ("s", "ms") else ours / theirs


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def middle(lines: list[dict], side: str, key: str) -> float | None:
    values = [line[side][key] for line in lines if line[side].get(key) is not None]
    return median(values) if values else None


def both(lines: list[dict], key: str, scale: float = 1) -> str:
    """Ours and theirs in one cell; a dash for what was not measured."""
    cells = [middle(lines, side, key) for side in ("ours", "theirs")]
    return "" if cells == [None, None] else " / ".join("-" if cell is None else number(cell * scale) for cell in cells)


def with_tail(lines: list[dict], side: str) -> str:
    """The value; of latencies with the 99th percentile."""
    value, late = middle(lines, side, "value"), middle(lines, side, "p99_ms")
    return number(value) if late is None or lines[0]["unit"] != "ms" else f"{number(value)} (p99 {number(late)})"


def ratio(lines: list[dict]) -> float:
    return median(gain(line) for line in lines)


def row(lines: list[dict], best: bool) -> list[str]:
    first, ratios = lines[0], [gain(line) for line in lines]
    achieved = [line["ours"]["gflops"] / line["ours"]["peak_gflops"] for line in lines if line["ours"].get("peak_gflops")]
    return [f"{first['workload']}: {first['title']}", f"{first['peer']} {first['variant']}", first["unit"],
            with_tail(lines, "ours"), with_tail(lines, "theirs"), f"**{ratio(lines):.2f}**" if best else f"{ratio(lines):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}", f"{median(achieved):.0%}" if achieved else "",
            both(lines, "memory", 2**-20), both(lines, "first_seconds")]


def header(machine: dict) -> str:
    rates = (f"{machine['peak_gflops']:.0f} GFLOP/s in f32 and {machine['peak_gbytes_per_second']:.0f} GB/s measured"
             if machine.get("peak_gflops") else "limits not measured")
    return (f"{machine['cpu']}, {machine['threads']} threads of {machine['processors']} processors, {machine['isa']}, "
            f"{machine['memory_gib']} GiB, {rates}, {machine['system']}, oneDNN {machine['onednn']}, {machine['date']}; "
            + ", ".join(machine["peers"]))


def text_of(lines: list[dict]) -> str:
    """A row for each variant of each workload, the ratio over its best one in bold; then w6 as a whole, and what failed. Lines of
    several runs make one table."""
    groups: dict[tuple, list[dict]] = {}
    for line in lines:
        if "peer" in line:
            groups.setdefault((line["workload"], line["peer"], line["variant"]), []).append(line)
    least: dict[str, float] = {}
    for (workload, _, _), group in groups.items():
        least[workload] = min(least.get(workload, ratio(group)), ratio(group))
    rows = [HEAD, ["---"] * 3 + ["---:"] * 7] + [row(group, ratio(group) == least[key[0]]) for key, group in groups.items()]
    parts = [header(line["machine"]) + "\n" for line in lines if "machine" in line][:1]
    parts += ["| " + " | ".join(cells) + " |" for cells in rows]
    w6 = [least[workload] for workload in least if workload.startswith("w6.")]
    if w6:
        parts.append(f"\nGeometric mean of {len(w6)} rows of w6, each over its best peer: {geometric_mean(w6):.2f}")
    parts += [f"\n{line['workload']}: {line['failed']}" for line in lines if "failed" in line]
    return "\n".join(parts)
