#!/usr/bin/env python3
"""Whole training steps compile for TPUs that are not here: the state is donated, and what JAX said of the same text stays true."""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBTPU = sorted((ROOT / "third_party/oracles/lib").glob("python3*/site-packages/libtpu/libtpu.so"))
HBM = {"v4": 32, "v5e": 16, "v6e": 32}  # 2^30 bytes of a chip
TOPOLOGIES = {"v4": "v4:2x2x1", "v5e": "v5e:2x2", "v6e": "v6e:2x2"}
MODELS = {"mlp:784-128-10": 101770, "cnn": 2122186, "resnet18": 11689512}  # parameters that train
STATISTICS = {"resnet18": 9600}  # numbers of running means and variances
SECONDS = {"mlp:784-128-10": 3, "cnn": 20, "resnet18": 220}


def main() -> None:
    items = {f"{generation}_{model.split(':')[0]}": (generation, model) for generation in TOPOLOGIES for model in MODELS}
    if sys.argv[1] == "list":
        print("\n".join(f"{SECONDS[model]} {name}" for name, (_, model) in items.items()))
        return
    if not LIBTPU:
        print("skipped, because there is no libtpu: ./run install test")
        return
    generation, model = items[sys.argv[1]]
    command = [ROOT / "build/bin/temper", "inspect", model, "--train", "--plan", "--batch", "32", "--json",
               "--device", f"pjrt:{LIBTPU[0]}:{TOPOLOGIES[generation]}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    memory = json.loads(done.stdout)["memory"]
    print(json.dumps({"topology": TOPOLOGIES[generation], "model": model, **memory}))
    state = 4 * (2 * MODELS[model] + STATISTICS.get(model, 0) + 5)  # parameters, momentum, statistics, five sums
    assert memory["donated_unpadded"] == state, (memory["donated_unpadded"], state)
    assert state <= memory["donated"] <= memory["arguments"]
    assert memory["limit"] == HBM[generation] << 30 and memory["fits"]
    assert 0 < memory["temporaries"] and 0 < memory["code"]


if __name__ == "__main__":
    main()
