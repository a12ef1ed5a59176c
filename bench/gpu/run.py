#!/usr/bin/env python3
"""Conformance, trainings and steps on the GPU of this machine.

run.py [--temper FILE] [--tests FILE] [--data DIR] [--out DIR] [--seconds S] [--only conformance,training,steps] [--models M,...]

Needs nothing but Python; what PyTorch takes is measured where it is installed. Each stage goes on if one before it failed.
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

STEPS = {"mlp:784-128-10": 32, "cnn": 32, "resnet18": 64, "resnet50": 256, "mobilenet_v2": 256, "bert:12-768-12": 32}  # and their batches
TORCH_VARIANTS = ["eager", "eager bf16", "eager channels_last bf16", "compile", "compile channels_last bf16", "graph channels_last bf16"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--temper", type=Path, default=ROOT / "build/bin/temper")
    parser.add_argument("--tests", type=Path, default=ROOT / "build/bin/test_conformance")
    parser.add_argument("--data", type=Path, default=ROOT / "examples/data")
    parser.add_argument("--out", type=Path, default=Path("gpu-results"))
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement of a step")
    parser.add_argument("--only", default="conformance,training,steps")
    parser.add_argument("--models", default=",".join(STEPS), help="of the steps")
    return parser.parse_args()


class Run:
    def __init__(self, a: argparse.Namespace):
        self.a = a
        a.out.mkdir(parents=True, exist_ok=True)
        self.lines: list[dict] = []
        self.raw = (a.out / "results.jsonl").open("w")

    def keep(self, **line) -> dict:
        self.lines.append(line)
        print(json.dumps(line), file=self.raw, flush=True)
        return line

    def temper(self, *words: str, timeout: int = 900) -> dict:
        """What a command prints with --json; else why not."""
        command = [str(self.a.temper), *words, "--json"]
        print("run:", " ".join(command), file=sys.stderr, flush=True)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            return {"failed": f"more than {timeout} s"}
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            return {"failed": (done.stderr or done.stdout).strip()[-400:] or f"exit code {done.returncode}"}
        return {"failed": answer["error"]["message"]} if "error" in answer else answer

    def device(self) -> dict:
        answer = self.temper("devices")
        found = next((d for d in answer.get("devices", []) if d["name"] == "cuda"), {"present": False, "why": answer.get("failed", "")})
        self.keep(stage="device", **found)
        if not found["present"]:
            sys.exit(f"there is no GPU to measure: {found['why']}")
        return found

    def conformance(self) -> None:
        environment = {**os.environ, "TEMPER_TEST_GPU": "1"}
        done = subprocess.run([str(self.a.tests), "--gtest_filter=*/cuda_*", "--gtest_brief=1"], capture_output=True, text=True, env=environment)
        (self.a.out / "conformance.txt").write_text(done.stdout + done.stderr)
        passed, failed = re.search(r"PASSED\s+\] (\d+) test", done.stdout), re.search(r"FAILED\s+\] (\d+) test", done.stdout)
        self.keep(stage="conformance", passed=int(passed[1]) if passed else 0, failed=int(failed[1]) if failed else 0)

    def training(self) -> None:
        data = self.a.data
        jobs = {
            "MNIST, mlp:784-128-10": ["mlp:784-128-10", "--preprocess", "gray,unit", "--val-split", "0.1", "--data", str(data / "mnist"), "--epochs", "10"],
            "clothing, head on MobileNet": [str(data / "mobilenet_v1_0.25_224.onnx"), "--preprocess", "short:256,crop:224,mean:127.5,std:127.5",
                                            "--head", "gap,dense", "--lr", "1e-2", "--data", str(data / "clothing10"), "--epochs", "10"],
        }
        for name, words in jobs.items():
            for device in ["cpu", "cuda"]:
                answer = self.temper("tune", *words, "--device", device, "--overwrite", "--out", str(self.a.out / "run"))
                scores = answer.get("test") or answer.get("val") or {}
                self.keep(stage="training", job=name, device=device, accuracy=scores.get("accuracy"), loss=scores.get("loss"),
                          seconds=(answer.get("seconds") or {}).get("total"), joules=answer.get("energy_joules"), failed=answer.get("failed"))

    def steps(self) -> None:
        for model, batch in ((m, b) for m, b in STEPS.items() if m in self.a.models.split(",")):
            for precision in ["f32", "bf16"]:
                answer = self.temper("bench", model, "--train", "--device", "cuda", "--batch", str(batch), "--precision", precision,
                                     "--duration", str(self.a.seconds))
                self.keep(stage="step", model=model, batch=batch, by=f"temper {precision}", ms=answer.get("median_ms"),
                          joules_per_sample=answer.get("joules_per_sample"), failed=answer.get("failed"))
            for variant in TORCH_VARIANTS:
                self.torch_step(model, batch, variant)

    def torch_step(self, model: str, batch: int, variant: str) -> None:
        command = [sys.executable, str(HERE / "torch_steps.py"), model, str(batch), variant, str(self.a.seconds)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
            answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"failed": done.stderr.strip()[-300:]}
        except (subprocess.TimeoutExpired, ValueError, IndexError) as problem:
            answer = {"failed": str(problem)[-300:]}
        self.keep(stage="step", model=model, batch=batch, by=f"torch {variant}", ms=answer.get("ms"), failed=answer.get("failed"))

    def table(self, device: dict) -> None:
        card = device.get("facts", {}).get("device", "GPU")
        text = [f"# {card}", ""] + [f"* {key}: {value}" for key, value in device.get("facts", {}).items()]
        text += [f"* {key}: {value:.6g}" for key, value in device.get("peaks", {}).items() if value]
        for line in self.lines:
            if line["stage"] == "conformance":
                text += ["", f"Conformance: {line['passed']} ops pass, {line['failed']} fail."]
        rows = [line for line in self.lines if line["stage"] == "training"]
        if rows:
            text += ["", "| job | device | accuracy | loss | s | J |", "|---|---|---|---|---|---|"]
            text += [f"| {r['job']} | {r['device']} | " + (r["failed"] or " | ".join(number(r[k]) for k in ["accuracy", "loss", "seconds", "joules"])) + " |"
                     for r in rows]
        rows = [line for line in self.lines if line["stage"] == "step"]
        if rows:
            text += ["", "Training steps, median ms; SGD with momentum.", "", "| model | batch | by | ms | of temper bf16 |", "|---|---|---|---|---|"]
            for r in rows:
                ours = next((o["ms"] for o in rows if o["model"] == r["model"] and o["by"] == "temper bf16"), None)
                ratio = f"{r['ms'] / ours:.2f}" if r["ms"] and ours else ""
                text.append(f"| {r['model']} | {r['batch']} | {r['by']} | {number(r['ms']) if r['ms'] else 'failed: ' + line_of(r['failed'])} | {ratio} |")
        file = self.a.out / (re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-") + ".md")
        file.write_text("\n".join(text) + "\n")
        print(f"tables: {file}, raw lines: {self.a.out / 'results.jsonl'}")


def number(value) -> str:
    return "" if value is None else f"{value:.4g}"


def line_of(text) -> str:
    return (text or "").splitlines()[-1][:80] if text else ""


def main() -> None:
    run = Run(arguments())
    device = run.device()
    for stage in run.a.only.split(","):
        try:
            getattr(run, stage)()
        except Exception as problem:  # the next stage may do better
            run.keep(stage=stage, failed=repr(problem))
        run.table(device)


if __name__ == "__main__":
    main()
