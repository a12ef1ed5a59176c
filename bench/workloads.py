"""What is measured: our command and the peers' variants of the same work."""
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Workload:
    """`ours` is a command of temper; `key` is the number of its JSON to take, or none for the whole process's seconds.

    A peer's variant is what its script is asked for; "tcmalloc" and "mkl" in it are libraries to preload (see run.py). A
    measurement is the median of `processes` of them.
    """

    title: str
    unit: str
    ours: str
    peers: dict[str, list[str]]
    key: str = ""
    scale: int = 1  # of the key's number
    processes: int = 1
    keeps: bool = False  # a process before those measured leaves what it cached
    models: list[str] = field(default_factory=list)  # files that must lie in WORK/models

    @property
    def less_is_better(self) -> bool:
        return self.unit in ("s", "ms")


def step(title: str, model: str, batch: int, optimizer: str, peers: dict[str, list[str]], more: str = "") -> Workload:
    return Workload(title, "samples/s", f"bench {model} --train --batch {batch} --optimizer {optimizer} --duration 4{more}",
                    peers, key="samples_per_second")


def encoder(title: str, model: str, batch: int, sequence: int, more: str = "") -> Workload:
    command = f"bench {model} --train --batch {batch} --sequence {sequence} --optimizer adamw --duration 4{more}"
    variants = ["eager"] if more else ["eager", "eager mkl"]
    return Workload(title, "tokens/s", command, {"torch": variants}, key="samples_per_second", scale=sequence)


def update(title: str, more: str = "") -> Workload:
    return Workload(title, "ms", f"bench bert:6-768-12 --update --optimizer adamw --duration 4{more}",
                    {"torch": ["fused", "fused tcmalloc"]}, key="median_ms")


def inference(title: str, model: str, batch: int, work: Path, precision: str = "f32") -> Workload:
    """In int8 everyone quantises the model himself: ONNX Runtime's file is OpenVINO's, too. LiteRT has no bf16, nor has ONNX Runtime."""
    peers = {"openvino": [precision] if batch == 1 else [precision, f"{precision} requests"]}
    if precision != "bf16":
        peers |= {"onnxruntime": [precision], "litert": [precision]}
    return Workload(f"{title} inference, batch {batch}{'' if precision == 'f32' else ', ' + precision}",
                    "ms" if batch == 1 else "samples/s",
                    f"bench {work}/models/{model}.onnx --batch {batch} --precision {precision} --duration 4", peers,
                    key="median_ms" if batch == 1 else "samples_per_second", models=[model])


def tokens(work: Path, precision: str) -> Workload:
    """BERT-base at sequence 128, which LiteRT has no file of."""
    row = inference("BERT-base, sequence 128,", "bert", 1, work, precision)
    row.ours += " --sequence 128"
    row.peers.pop("litert", None)
    return row


def inferences(work: Path) -> dict[str, Workload]:
    """A row for each model, batch and precision: w6.mobilenet_v2.b1.int8."""
    photos = {f"w6.{model}.b{batch}{'' if precision == 'f32' else '.' + precision}": inference(title, model, batch, work, precision)
              for model, title in [("mobilenet_v2", "MobileNetV2"), ("resnet50", "ResNet-50")] for batch in [1, 32]
              for precision in ["f32", "bf16", "int8"]}
    return photos | {"w6.bert.b1": tokens(work, "f32"), "w6.bert.b1.bf16": tokens(work, "bf16")}


def start(title: str, data: Path, work: Path, keeps: bool) -> Workload:
    peers = {"litert": ["f32", "int8, published"], "onnxruntime": ["f32"]}
    return Workload(title, "s", f"predict {work}/models/mobilenet_v2.onnx --preprocess size:224x224,mean:127.5,std:127.5 "
                    f"{data}/models/imagenet/sanity_images/arctic-fox.jpeg", peers | ({"openvino": ["f32 cache"]} if keeps else {}),
                    processes=5, keeps=keeps, models=["mobilenet_v2"])


def loader(size: int, work: Path) -> Workload:
    steps = f"size:{size}x{size},unit,mean:0.485/0.456/0.406,std:0.229/0.224/0.225"
    return Workload(f"photos of 400x533 decoded, scaled to {size}x{size}, normalised", "samples/s",
                    f"bench mobilenet_v2 --data {work}/clothing10/train --preprocess {steps} --batch 32 --duration 4",
                    {"torch": [f"{size}x{size}, 2 workers"]}, key="samples_per_second")


def workloads(data: Path, work: Path) -> dict[str, Workload]:
    """`data`: the folder with mnist/ and clothing10/; `work`: where runs, unpacked data and models go."""
    tune = f"--out {work}/run --overwrite --seed 0"
    photos = (f"--data {work}/clothing10 --preprocess size:224x224,unit,mean:0.485/0.456/0.406,std:0.229/0.224/0.225 "
              f"--head gap,dense:1024:relu,dense --optimizer adam --lr 1e-3 --epochs 10 {tune}")
    cached = "features cached by hand"
    any_drop = "--max-drop 100"  # the weights are random: there is no accuracy to lose
    layouts = ["eager channels_last", "eager NCHW"]
    image = {"torch": ["eager channels_last", "eager channels_last tcmalloc", "compile channels_last"]}
    image_bf16 = {"torch": ["eager channels_last", "eager channels_last tcmalloc"]}
    bf16 = " --precision bf16"
    return {
        "w1": Workload("MNIST MLP 784-128-10, 10 epochs, whole job", "s",
                       f"tune mlp:784-128-10 --data {data}/mnist --optimizer adam --lr 1e-3 --batch 32 --epochs 10 {tune}",
                       {"torch": ["eager"], "jax": ["scan"], "keras": ["fit, 50 a call"]}),
        "w1.step": step("the same, a step", "mlp:784-128-10", 32, "adam",
                        {"torch": ["eager"], "jax": ["scan"], "keras": ["fit, 50 a call"]}),
        "w2": step("CNN 3x32x32, a step", "cnn", 32, "adam", {"torch": layouts, "keras": ["fit, 50 a call"]}),
        "w3.mobilenet_v2": Workload("MobileNetV2 frozen, new head, 450 photos, 10 epochs, whole job", "s",
                                    f"tune mobilenet_v2 {photos}",
                                    {"torch": [cached, "eager"], "keras": [f"{cached}, no jit", "fit, no jit"]}),
        "w3.resnet50": Workload("ResNet-50 frozen, the same", "s", f"tune resnet50 {photos}",
                                {"torch": [cached], "keras": [f"{cached}, no jit"]}),
        "w3.mobilenet_v2.int8": Workload("MobileNetV2 frozen in int8, the same", "s",
                                         f"tune mobilenet_v2 {photos} --frozen-precision int8 {any_drop}",
                                         {"torch": [cached], "keras": [f"{cached}, no jit"]}),
        "w3.resnet50.int8": Workload("ResNet-50 frozen in int8, the same", "s",
                                     f"tune resnet50 {photos} --frozen-precision int8 {any_drop}",
                                     {"torch": [cached], "keras": [f"{cached}, no jit"]}),
        "w4.resnet18": step("ResNet-18, all parameters, a step", "resnet18", 32, "sgd", image),
        "w4.resnet50": step("ResNet-50, all parameters, a step", "resnet50", 16, "sgd", image),
        "w4.mobilenet_v2": step("MobileNetV2, all parameters, a step", "mobilenet_v2", 32, "sgd", image),
        "w4.resnet18.bf16": step("ResNet-18, bf16", "resnet18", 32, "sgd", image_bf16, bf16),
        "w4.resnet50.bf16": step("ResNet-50, bf16", "resnet50", 16, "sgd", image_bf16, bf16),
        "w4.mobilenet_v2.bf16": step("MobileNetV2, bf16", "mobilenet_v2", 32, "sgd", image_bf16, bf16),
        "w5.base": encoder("BERT-base, sequence 128, a step", "bert:12-768-12", 8, 128),
        "w5.base.bf16": encoder("the same, bf16", "bert:12-768-12", 8, 128, bf16),
        "w5.small": encoder("small encoder, sequence 64, a step", "bert:4-256-4", 32, 64),
        "w5.small.bf16": encoder("the same, bf16", "bert:4-256-4", 32, 64, bf16),
        "optimizer": update("AdamW alone, 66.4 million parameters"),
        "optimizer.all": update("the same with clipping by norm and a moving average", " --clip-norm 1 --ema 0.999"),
        **inferences(work),
        "start": start("photo to label, fresh process, MobileNetV2", data, work, keeps=True),
        "start.first": start("the same, nothing cached", data, work, keeps=False),
        "loader.224": loader(224, work),
        "loader.96": loader(96, work),
    }
