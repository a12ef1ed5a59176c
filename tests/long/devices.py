#!/usr/bin/env python3
"""Whole trainings on XLA and on OpenCL for this processor: the accuracy that its own kernels reach, and the same first losses."""
import csv
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from accuracy import JOBS, ROOT, SHARED, unpacked

PLUGIN = next(iter(sorted(ROOT.glob("third_party/oracles/lib/python3*/site-packages/xla_plugins/xla_cpu_pjrt/*.so"))), None)
POCL = Path("/etc/OpenCL/vendors/pocl.icd")
WORK = ROOT / "build/long/devices"
CNN = "--preprocess size:32x32,unit --optimizer adam --lr 1e-3 --batch 32 --epochs 5"
# Name: seconds on XLA, model, data, options.
TRAININGS = {
    "mnist": (60, JOBS["mnist"].model, JOBS["mnist"].data, JOBS["mnist"].options),
    "cifar_cnn": (120, "cnn", JOBS["cifar"].data, CNN),
    "clothing": (10, JOBS["clothing"].model, JOBS["clothing"].data, JOBS["clothing"].options),
    "resnet20": (200, JOBS["cifar"].model, JOBS["cifar"].data, JOBS["cifar"].options.replace("--epochs 5", "--epochs 2")),
}
SLOWER = 2  # OpenCL, about
STEPS = 20
SEEDS = {"cifar_cnn": 3, "resnet20": 3}  # what rounds otherwise ends elsewhere: one run is half a point off another
POINTS = 0.5  # of accuracy, and a sample of a small test set


def tune(name: str, device: str, options: list[str], seed: int = 1) -> dict:
    model, data = TRAININGS[name][1:3]
    command = [ROOT / "build/bin/temper", "tune", unpacked(model), *options, "--device", device, "--seed", str(seed),
               "--out", WORK / f"{name}-{device.split(':')[0]}", "--overwrite", "--json", "--quiet"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def accuracies(name: str, other: str) -> None:
    """Means over seeds. Of the digits on all devices of the plug-in, too."""
    options = ["--data", unpacked(TRAININGS[name][2]), *TRAININGS[name][3].split()]
    means = []
    for device in ["cpu", other] + ([f"{other}:all"] if name == "mnist" and other != "opencl" else []):
        found = [tune(name, device, options, seed) for seed in range(1, SEEDS.get(name, 1) + 1)]
        means.append(statistics.mean(result["test"]["accuracy"] for result in found))
        seconds = sum(result["seconds"]["total"] for result in found)
        print(f"{name}: test accuracy {means[-1]:.4f} in {seconds:.0f} s on {device}")
    samples = found[0]["test"]["samples"]
    assert all(abs(mean - means[0]) <= max(POINTS / 100, 1.001 / samples) for mean in means), means


def few(name: str) -> str:
    """A folder with four pictures of each class, all of them one batch; digits are taken as they come."""
    source, target = Path(unpacked(TRAININGS[name][2])), WORK / f"few-{name}"
    if name == "mnist":
        return str(source)
    shutil.rmtree(target, ignore_errors=True)
    for folder in sorted((source / "train").iterdir()):
        for picture in sorted(folder.iterdir())[:4]:
            (target / folder.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, target / folder.name)
    return str(target)


def first_losses(name: str, other: str) -> None:
    options = [word for word in TRAININGS[name][3].replace(" --augment flip", "").split()]
    options[options.index("--epochs") + 1] = str(STEPS)
    if "--batch" in options:
        del options[options.index("--batch"):options.index("--batch") + 2]
    options += ["--data", few(name), "--batch", "65536", "--val-split", "0"]
    if name == "cifar_cnn":  # Adam divides by what is at first as small as the rounding of the gradients
        options[options.index("adam")] = "sgd"
        options[options.index("--lr") + 1] = "0.05"
        options += ["--momentum", "0.9"]
    losses = []
    for device in ["cpu", other]:
        tune(name, device, options)
        with open(WORK / f"{name}-{device.split(':')[0]}/history.csv") as file:
            losses.append([float(row["train.loss"]) for row in csv.DictReader(file)])
    worst = max(abs(a - b) / abs(a) for a, b in zip(*losses))
    print(f"{name}: first {len(losses[0])} losses from {losses[0][0]:.5f} to {losses[0][-1]:.5f}, at most {worst:.2e} apart")
    assert len(losses[0]) == len(losses[1]) == STEPS and worst <= 1e-3


def main() -> None:
    if sys.argv[1] == "list":
        for name, row in TRAININGS.items():
            print(f"{row[0]} {name}\n{row[0] // 2} {name}_losses\n{row[0] * SLOWER} {name}_opencl\n{row[0] * SLOWER // 2} {name}_opencl_losses")
        return
    words = sys.argv[1].split("_")
    losses, opencl = "losses" in words, "opencl" in words
    missing = SHARED if not SHARED.is_dir() else POCL if opencl and not POCL.exists() else None
    if missing or not (opencl or PLUGIN):
        print(f"skipped, because {missing or 'the PJRT plug-in for this processor'} is absent")
        return
    WORK.mkdir(parents=True, exist_ok=True)
    name = "_".join(word for word in words if word not in ("losses", "opencl"))
    (first_losses if losses else accuracies)(name, "opencl" if opencl else f"pjrt:{PLUGIN}")


if __name__ == "__main__":
    main()
