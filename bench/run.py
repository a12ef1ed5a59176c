#!/usr/bin/env python3
"""Speed beside other libraries: the same work, ours and theirs in turn, so that what slows the machine slows both.

./run bench [--workload w1,w4 ...] [--peer torch,jax ...] [--variant TEXT] [--rounds N] [--data DIR] [--out FILE.jsonl]

A round is our process, then one of each variant. The table gives medians over the rounds, and of the rounds' ratios, which alone
mean something elsewhere: above 1 we are faster. Raw lines go to --out. Peers live in build/bench, made from
bench/requirements-*.txt by pip, unless --python PEER=INTERPRETER names one that is there.
"""
import argparse
import gzip
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

from table import text_of
from workloads import Workload, workloads

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = ROOT / "build/bench"
RESULTS = WORK / "results.jsonl"  # of the last run
TEMPER = ROOT / "build/bin/temper"
PEERS = ["torch", "jax", "keras", "onnxruntime", "openvino", "litert"]
HOMES = {"litert": "keras"}  # whose environment a peer shares: TensorFlow makes LiteRT's files
TCMALLOC = Path("/usr/lib") / f"{platform.machine()}-linux-gnu" / "libtcmalloc_minimal.so.4"


class Failed(Exception):
    """A measurement that did not come about; says why in a line."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="", help="names, comma-separated, or beginnings of names (default: all)")
    parser.add_argument("--peer", default=",".join(PEERS))
    parser.add_argument("--variant", default="", help="only peers' variants that contain this text")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TEMPER_SHARED", ROOT.parent / "shared")) / "data")
    parser.add_argument("--python", action="append", default=[], metavar="PEER=INTERPRETER")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", type=Path, help="only print the table of such a file")
    return parser.parse_args()


def interpreter(peer: str, named: dict[str, str]) -> str:
    """Python of a peer's environment, made first if it is absent."""
    home = HOMES.get(peer, peer)
    if home in named:
        return named[home]
    folder = WORK / home
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        print(f"making {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / f"requirements-{home}.txt"], check=True)
        (folder / "complete").touch()
    return str(python)


def machine(threads: int) -> dict:
    cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    shown = subprocess.run([TEMPER, "devices", "--refresh", "--json"], capture_output=True, text=True, check=True)
    device = json.loads(shown.stdout)["devices"][0]
    requirements = [line for file in sorted(HERE.glob("requirements-*.txt")) for line in file.read_text().split()]
    return {"cpu": cpu, "processors": os.cpu_count(), "threads": threads, "memory_gib": round(memory / 2**20, 1),
            "system": platform.platform(), "date": time.strftime("%Y-%m-%d"), "isa": device["facts"]["isa"],
            "onednn": device["facts"]["onednn"], "peak_gflops": device["peaks"]["f32_gflops"],
            "peak_gbytes_per_second": device["peaks"]["gbytes_per_second"], "peers": requirements}


def run(command: list[str], environment: dict[str, str]) -> tuple[float, int, dict]:
    """Seconds and peak memory of the process (the largest of it and its children), and the JSON of its last line."""
    with (WORK / "errors.txt").open("w+") as errors:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            last = [line for line in (errors.read() + output).splitlines() if line.strip()][-1:] or ["no output"]
            raise Failed(last[0][-300:])
    return seconds, usage.ru_maxrss * 1024, json.loads(output.strip().splitlines()[-1])


def measure_ours(workload: Workload, threads: int) -> dict:
    if not workload.keeps:
        shutil.rmtree(WORK / "cache", ignore_errors=True)  # nothing of an earlier run may help
    environment = {**os.environ, "TEMPER_CACHE": str(WORK / "cache"), "OMP_NUM_THREADS": str(threads)}
    command = [str(TEMPER), *workload.ours.split(), "--threads", str(threads), "--json"]
    seconds, memory, result = run(command, environment)
    wanted = ["p99_ms", "compile_seconds", "ready_seconds", "first_run_seconds", "gflops", "peak_gflops", "loss_first", "loss_last"]
    more = {key: result[key] for key in wanted if result.get(key) is not None}
    if "first_run_seconds" in more:
        more["first_seconds"] = more.pop("first_run_seconds")
    value = result[workload.key] * workload.scale if workload.key else seconds
    return {"value": value, "memory": result.get("peak_rss_bytes", memory), **more}


def preloads(variant: str) -> str:
    """The libraries that words of a variant mean, for LD_PRELOAD."""
    found = []
    if "tcmalloc" in variant:
        if not TCMALLOC.exists():
            raise Failed(f"there is no {TCMALLOC} (Debian: libtcmalloc-minimal4)")
        found.append(str(TCMALLOC))
    if "mkl" in variant:
        library = WORK / "mkl_on_amd.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "mkl_on_amd.c"], check=True)
        found.append(str(library))
    return ":".join(found)


def measure_peer(peer: str, python: str, name: str, variant: str, options: argparse.Namespace) -> dict:
    environment = {**os.environ, "LD_PRELOAD": preloads(variant)}
    command = [python, str(HERE / f"{peer}_peer.py"), name, variant, str(options.data), str(WORK), str(options.threads)]
    seconds, memory, result = run(command, environment)
    return {"value": seconds, "memory": memory, **result}


def median_of(measure, processes: int) -> dict:
    """The middle one of several measurements, by value."""
    results = sorted((measure() for _ in range(processes)), key=lambda result: result["value"])
    return results[len(results) // 2]


def prepare(options: argparse.Namespace, chosen: dict[str, Workload], pythons: dict[str, str]) -> None:
    """Photos and models in WORK, as every side reads them."""
    if not (WORK / "clothing10").exists():
        tarfile.open(options.data / "clothing10/clothing10.tar").extractall(WORK, filter="data")
        shutil.rmtree(WORK / "clothing10/test")  # the work is training and one validation
    models = {model for workload in chosen.values() for model in workload.models}
    if not models:
        return
    (WORK / "models").mkdir(exist_ok=True)
    if not (WORK / "models/mobilenet_v2.onnx").exists():
        packed = options.data / "models/imagenet/mobilenet_v2_1.0_224_float32_from_int8.onnx.gz"
        (WORK / "models/mobilenet_v2.onnx").write_bytes(gzip.decompress(packed.read_bytes()))
    for model, architecture in [("resnet50", "resnet50"), ("bert", "bert:12-768-12")]:
        file = WORK / f"models/{model}.onnx"
        if (model in models or model == "resnet50") and not file.exists():
            subprocess.run([TEMPER, "convert", architecture, file, "--quiet"], check=True)
    if "litert" in pythons and not (WORK / "models/resnet50.int8.tflite").exists():
        command = [pythons["litert"], HERE / "keras_peer.py", "models", "all", options.data, WORK, str(options.threads)]
        subprocess.run(command, check=True, capture_output=True)
    wants_int8 = any(name.endswith("int8") for name, workload in chosen.items() if workload.models)
    if wants_int8 and not (WORK / "models/resnet50.int8.onnx").exists():
        if "onnxruntime" not in pythons:
            sys.exit("bench: int8 files are ONNX Runtime's; make them once with --peer onnxruntime")
        command = [pythons["onnxruntime"], HERE / "onnxruntime_peer.py", "models", "all", options.data, WORK, str(options.threads)]
        subprocess.run(command, check=True, capture_output=True)


def measure(name: str, workload: Workload, options: argparse.Namespace, pythons: dict[str, str], note) -> None:
    """All rounds of a workload; `note` takes a line each for what was measured or failed."""
    turns = [(peer, variant) for peer, variants in workload.peers.items() if peer in pythons
             for variant in variants if options.variant in variant]
    head = {"workload": name, "title": workload.title, "unit": workload.unit}
    for number in range(options.rounds):
        if not turns:
            return
        print(f"{name}: round {number + 1} of {options.rounds}", file=sys.stderr)
        load = os.getloadavg()[0]  # of the last minute, our own work included: much above the threads, others were busy
        try:
            if workload.keeps:
                shutil.rmtree(WORK / "cache", ignore_errors=True)
                measure_ours(workload, options.threads)
            ours = median_of(lambda: measure_ours(workload, options.threads), workload.processes)
        except Failed as reason:
            note({**head, "failed": f"ours: {reason}"})
            return
        for peer, variant in list(turns):
            try:
                theirs = median_of(lambda: measure_peer(peer, pythons[peer], name, variant, options), workload.processes)
            except Failed as reason:
                note({**head, "failed": f"{peer} {variant}: {reason}"})
                turns.remove((peer, variant))
                continue
            note({**head, "peer": peer, "variant": variant, "load": load, "ours": ours, "theirs": theirs})


def main() -> None:
    options = arguments()
    if options.table:
        print(text_of([json.loads(line) for line in options.table.read_text().splitlines()]))
        return
    if not options.data.is_dir():
        sys.exit(f"bench: no folder {options.data}; --data names the one with mnist/ and clothing10/")
    WORK.mkdir(parents=True, exist_ok=True)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.threads])  # all processes inherit it
    wanted = options.workload.split(",")
    chosen = {name: workload for name, workload in workloads(options.data, WORK).items()
              if any(name.startswith(beginning) for beginning in wanted)}
    needed = {peer for workload in chosen.values() for peer in workload.peers} & set(options.peer.split(","))
    named = dict(text.split("=", 1) for text in options.python)
    pythons = {peer: interpreter(peer, named) for peer in PEERS if peer in needed}
    prepare(options, chosen, pythons)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.out != RESULTS and options.out.exists():
        sys.exit(f"bench: {options.out} is there; the lines of two runs make no table")
    lines = [{"machine": machine(options.threads)}]
    with options.out.open("w") as out:
        def note(line: dict) -> None:
            lines.append(line)
            print(json.dumps(line), file=out, flush=True)
        print(json.dumps(lines[0]), file=out, flush=True)
        for name, workload in chosen.items():
            measure(name, workload, options, pythons, note)
    print(text_of(lines))


if __name__ == "__main__":
    main()
