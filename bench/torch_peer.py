"""PyTorch's part; common.py says how it is called. A variant is words: eager or compile, NCHW or channels_last, cached."""
import time

import common
from common import data, threads, variant, work, workload

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(threads)
torch.manual_seed(0)
CHANNELS_LAST, BF16, COMPILE = "channels_last" in variant, workload.endswith(".bf16"), "compile" in variant


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn() -> nn.Module:
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*block(3, 32), *block(32, 64), nn.Flatten(), nn.Linear(4096, 512), nn.ReLU(), nn.Linear(512, 10))


def photo_net(name: str) -> nn.Module:
    import torchvision
    return getattr(torchvision.models, name)(weights=None)


class EncoderLayer(nn.Module):
    """Attention and a feed-forward part, each added to its input and normalised after that, as in BERT."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = self.norms[0](x + self.out(attended))
        return self.norms[1](x + self.narrow(F.gelu(self.wide(x))))


class Encoder(nn.Module):
    """Two classes from the first token of a sequence of token numbers."""

    def __init__(self, layers: int, width: int, heads: int):
        super().__init__()
        self.tokens, self.places = nn.Embedding(30522, width), nn.Embedding(512, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(*[EncoderLayer(width, heads) for _ in range(layers)])
        self.head = nn.Linear(width, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.norm(self.tokens(tokens) + self.places.weight[:tokens.shape[1]]))[:, 0])


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=BF16):
        loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss


def measure(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, classes: int, samples: int) -> None:
    y = torch.randint(0, classes, x.shape[:1])
    if CHANNELS_LAST:
        x = x.to(memory_format=torch.channels_last)
    losses: list[torch.Tensor] = []
    if COMPILE:  # from nothing, as a first run is
        from torch._inductor import config
        config.force_disable_caches = True
    run = torch.compile(model) if COMPILE else model
    times, first = common.times_of(lambda: losses.append(train(run, optimizer, x, y).detach()))
    common.finish(value=samples / times[len(times) // 2], first_seconds=first, loss_first=losses[0].item(),
                  loss_last=losses[-1].item())


def encoder_step(model: Encoder, batch: int, sequence: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    measure(model, optimizer, torch.randint(0, 30522, (batch, sequence)), 2, batch * sequence)


def update_alone(everything: bool) -> None:
    """AdamW with given gradients; `everything`: they are clipped by their norm, and a moving average is kept."""
    model = Encoder(6, 768, 12)
    parameters = list(model.parameters())
    averages = [p.detach().clone() for p in parameters]
    for p in parameters:
        p.grad = torch.rand_like(p) * 2 - 1
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01, fused=True)

    def step() -> None:
        if everything:
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if everything:
            with torch.no_grad():
                torch._foreach_lerp_(averages, parameters, 1 - 0.999)
    times, first = common.times_of(step)
    common.finish(value=times[len(times) // 2] * 1e3, first_seconds=first)


def photo_step(name: str) -> None:
    model = photo_net(name).train()
    if CHANNELS_LAST:
        model = model.to(memory_format=torch.channels_last)
    batch = 16 if name == "resnet50" else 32
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, fused=True)
    measure(model, optimizer, torch.rand(batch, 3, 224, 224), 1000, batch)


def cnn_step() -> None:
    model = cnn()
    if CHANNELS_LAST:
        model = model.to(memory_format=torch.channels_last)
    measure(model, adam(model), torch.rand(32, 3, 32, 32), 10, 32)


def mlp_step() -> None:
    model = mlp()
    measure(model, adam(model), torch.rand(32, 784), 10, 32)


def mnist_job() -> None:
    x, y = (torch.from_numpy(part) for part in common.mnist("train"))
    y = y.long()
    model = mlp()
    optimizer = adam(model)
    for _ in range(10):
        order = torch.randperm(len(x))
        for batch_x, batch_y in zip(x[order].split(32), y[order].split(32)):
            train(model, optimizer, batch_x, batch_y)
    test_x, test_y = (torch.from_numpy(part) for part in common.mnist("t10k"))
    with torch.inference_mode():
        common.finish(accuracy=(model(test_x).argmax(1) == test_y).float().mean().item())


def photo_loader(part: str, size: int = 224) -> torch.utils.data.DataLoader:
    from torchvision import datasets, transforms
    prepare = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor(),
                                  transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    return torch.utils.data.DataLoader(datasets.ImageFolder(work / "clothing10" / part, prepare), batch_size=32,
                                       shuffle=part == "train", num_workers=2, persistent_workers=True)


def photo_job(name: str) -> None:
    body = photo_net(name)
    last = "fc" if name == "resnet50" else "classifier"
    width = body.fc.in_features if name == "resnet50" else body.last_channel
    setattr(body, last, nn.Identity())
    body = body.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    head = nn.Sequential(nn.Linear(width, 1024), nn.ReLU(), nn.Linear(1024, 10))
    optimizer = adam(head)

    def features(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return body(x.to(memory_format=torch.channels_last))

    loader = photo_loader("train")
    if "cached" in variant:
        pairs = [(features(x), y) for x, y in loader]
        all_x, all_y = torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])
    for _ in range(10):
        if "cached" in variant:
            order = torch.randperm(len(all_x))
            for x, y in zip(all_x[order].split(32), all_y[order].split(32)):
                train(head, optimizer, x, y)
        else:
            for x, y in loader:
                train(head, optimizer, features(x), y)
    right = sum((head(features(x)).argmax(1) == y).sum().item() for x, y in photo_loader("val"))
    common.finish(right=right)


def decode(size: int) -> None:
    loader, samples, begin = photo_loader("train", size), 0, 0.0
    while not begin or time.perf_counter() - begin < common.SECONDS:
        samples += sum(len(y) for _, y in loader)
        if not begin:  # the first pass starts the workers
            samples, begin = 0, time.perf_counter()
    common.finish(value=samples / (time.perf_counter() - begin))


group, _, name = workload.partition(".")
if workload == "w1":
    mnist_job()
elif workload == "w1.step":
    mlp_step()
elif group == "w2":
    cnn_step()
elif group == "loader":
    decode(int(name))
elif group == "w3":
    photo_job(name.removesuffix(".int8"))
elif group == "optimizer":
    update_alone(name == "all")
elif group == "w4":
    photo_step(name.removesuffix(".bf16"))
elif name.startswith("base"):
    encoder_step(Encoder(12, 768, 12), 8, 128)
else:
    encoder_step(Encoder(4, 256, 4), 32, 64)
