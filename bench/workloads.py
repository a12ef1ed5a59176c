"""What is measured: our command and the peers' variants of the same work."""
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Workload:
    """`ours` is a command of temper; `key` is the number of its JSON to take, or none for the whole process's seconds."""

    title: str
    unit: str
    ours: str
    key: str = ""
    peers: dict[str, list[str]] = field(default_factory=dict)  # variants by peer; a variant is what its script is asked for

    @property
    def less_is_better(self) -> bool:
        return self.unit == "s"


def step(title: str, model: str, batch: int, optimizer: str, variants: list[str]) -> Workload:
    return Workload(title, "samples/s", f"bench {model} --train --batch {batch} --optimizer {optimizer} --duration 4",
                    "samples_per_second", {"torch": variants})


LAYOUTS = ["eager channels_last", "eager NCHW"]


def workloads(data: Path, work: Path) -> dict[str, Workload]:
    """`data`: the folder with mnist/ and clothing10/; `work`: where runs and unpacked data go."""
    tune = f"--out {work}/run --overwrite --seed 0"
    head = "--head gap,dense:1024:relu,dense --optimizer adam --lr 1e-3 --epochs 10"
    return {
        "w1": Workload("MNIST MLP 784-128-10, 10 epochs, whole job", "s",
                       f"tune mlp:784-128-10 --data {data}/mnist --optimizer adam --lr 1e-3 --batch 32 --epochs 10 {tune}",
                       peers={"torch": ["eager"]}),
        "w1.step": step("the same, a step", "mlp:784-128-10", 32, "adam", ["eager"]),
        "w2": step("CNN 3x32x32, a step", "cnn", 32, "adam", LAYOUTS),
        "w3": Workload("MobileNetV2 frozen, new head, 450 photos, 10 epochs, whole job", "s",
                       f"tune mobilenet_v2 --data {work}/clothing10 --preprocess size:224x224,unit,mean:0.485/0.456/0.406,"
                       f"std:0.229/0.224/0.225 {head} {tune}",
                       peers={"torch": ["features cached by hand", "eager"]}),
        "w4.resnet18": step("ResNet-18, all parameters, a step", "resnet18", 32, "sgd", LAYOUTS),
        "w4.resnet50": step("ResNet-50, all parameters, a step", "resnet50", 16, "sgd", LAYOUTS),
        "w4.mobilenet_v2": step("MobileNetV2, all parameters, a step", "mobilenet_v2", 32, "sgd", LAYOUTS),
    }
