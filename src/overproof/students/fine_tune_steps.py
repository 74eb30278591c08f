"""Train the network step by step; the state after a step is a file from which another process goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from overproof.core.chance import digest
from overproof.core.store import write
from overproof.core.types import Record
from overproof.students.fine_tune_job import Job, Lesson
from overproof.students.fine_tune_network import HEAD, Network

HEAD_RATE = 10
"""The head learns this many times as fast as the encoder."""
DECAY, WARM_UP, LONGEST_STEP = 0.01, 0.1, 1.0
"""Weight decay; share of the steps that the rate rises; norm at which a gradient is cut."""
SMOOTHING = 0.05
"""Share of each target that is spread over all labels. Without, 4 in 1,000 fewer were right on a tenth of Banking77's
training data (3 layers, one seed)."""
POOL = 50
"""Batches whose texts are sorted by length together: little padding, and still other neighbours in every epoch."""
AT_ONCE = 4096
"""Tokens that are computed together, padding counted: a few hundred megabytes."""
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What the optimiser remembers of each weight."""
TRIES, WORTH = 3, 1.2
"""Steps timed for each number of threads; how much faster all cores must be than one to be worth occupying."""


class Pace(Record):
    """How steps are computed. It touches the last digits of the result, so it stays the same after an interruption."""

    threads: int
    bf16: bool


class Trainer:
    """A network in training."""

    def __init__(self, job: Job, lesson: Lesson, network: Network) -> None:
        import torch

        self.job, self.lesson, self.network = job, lesson, network
        self._lengths = np.array([len(each) for each in lesson.tokens])
        self.done = 0
        self.total = job.epochs * -(-len(lesson.tokens) // job.batch)
        self.pace = Pace(threads=1, bf16=False)
        self.trained = network.trained()
        groups = [
            {"params": [each for name, each in self.trained.items() if name.startswith(HEAD) == head], "lr": 0.0}
            for head in (False, True)
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=DECAY, fused=True)

    def run(self, every: float, keep: Callable[[], None], tell: Callable[[int, int], None]) -> None:
        """Take the steps that are left; `keep` is called every so many seconds, `tell` after each step."""
        kept = perf_counter()
        for rows in self._rest():
            self.step(rows)
            if perf_counter() - kept >= every:
                keep()
                kept = perf_counter()
            tell(self.done, self.total)

    def _rest(self) -> Iterator[NDArray[np.intp]]:
        a_pass = self.total // self.job.epochs
        for epoch in range(self.done // a_pass, self.job.epochs):
            rows = batches(self._lengths, self.job.batch, np.random.default_rng([self.job.seed, epoch]))
            yield from rows[self.done - epoch * a_pass :]

    def step(self, rows: NDArray[np.intp]) -> None:
        """Learn from one batch.

        Raises:
            ValueError: the loss is not a number.
        """
        from torch.nn.utils import clip_grad_norm_

        loss = self._gradients(rows, self.done)
        if not np.isfinite(loss):
            raise ValueError(f"the loss is {loss} at step {self.done}: lower learning_rate")
        clip_grad_norm_(list(self.trained.values()), LONGEST_STEP)
        rate = self.job.learning_rate * schedule(self.done, self.total)
        for group, times in zip(self.optimizer.param_groups, (1, HEAD_RATE), strict=True):
            group["lr"] = rate * times
        self.optimizer.step()
        self.done += 1

    def _gradients(self, rows: NDArray[np.intp], step: int) -> float:
        """Leave the batch's gradients with the weights and return its loss."""
        import torch

        # Each step draws from a seed of its own, so no state of a generator has to be carried over an interruption.
        torch.manual_seed(int(digest(str(self.job.seed), str(step), size=7), 16))
        self.optimizer.zero_grad()
        return sum(self._part(part, len(rows)) for part in parts(rows, self._lengths))

    def _part(self, rows: NDArray[np.intp], of: int) -> float:
        """Add the gradients of some rows of a batch of `of`, and return their share of its loss."""
        import torch

        targets = torch.from_numpy(self.lesson.targets[rows])
        softened = (1 - SMOOTHING) * targets + SMOOTHING / targets.shape[1]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.pace.bf16):
            logits = self.network.logits([self.lesson.tokens[row] for row in rows])
        surprise = -(softened * logits.log_softmax(dim=1)).sum(dim=1)
        loss = (surprise * torch.from_numpy(self.lesson.share[rows])).sum() / of
        loss.backward()
        return float(loss.detach())

    def find_pace(self) -> None:
        """Choose the number of threads by timing a few steps that are not taken: beside other work, one beats many."""
        import torch

        bf16, most = has_bf16(), torch.get_num_threads()
        if most == 1:
            return self._set(Pace(threads=1, bf16=bf16))
        rows = next(self._rest())
        seconds: dict[int, list[float]] = {1: [], most: []}
        for _ in range(TRIES + 1):
            for threads, taken in seconds.items():
                self._set(Pace(threads=threads, bf16=bf16))
                began = perf_counter()
                self._gradients(rows, 0)
                taken.append(perf_counter() - began)
        one, all_cores = (float(np.median(seconds[threads][1:])) for threads in (1, most))  # the first ones warm up
        return self._set(Pace(threads=most if one > WORTH * all_cores else 1, bf16=bf16))

    def _set(self, pace: Pace) -> None:
        import torch

        torch.set_num_threads(pace.threads)
        self.pace = pace

    def save(self, path: Path) -> None:
        """Write weights, the optimiser's moments, the step and the pace."""
        from safetensors.torch import save

        tensors = {name: each.detach() for name, each in self.trained.items()}
        for name, each in self.trained.items():
            tensors |= {f"{moment}:{name}": self.optimizer.state[each][moment] for moment in MOMENTS}
        about = {"done": str(self.done), "pace": msgspec.json.encode(self.pace).decode()}
        write(path, save(tensors, about))

    def take_up(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        import torch
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file, torch.no_grad():
            for name, each in self.trained.items():
                each.copy_(file.get_tensor(name))
                self.optimizer.state[each] = {moment: file.get_tensor(f"{moment}:{name}") for moment in MOMENTS}
            about = file.metadata()
        self.done = int(about["done"])
        self._set(msgspec.json.decode(about["pace"], type=Pace))


def batches(lengths: NDArray[np.int_], size: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return an epoch's batches of row numbers, each of texts of similar length, in random order."""
    order = rng.permutation(len(lengths))
    pools = np.split(order, range(size * POOL, len(order), size * POOL))
    by_length = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    cut = np.split(by_length, range(size, len(by_length), size))
    return [cut[at] for at in rng.permutation(len(cut))]


def parts(rows: NDArray[np.intp], lengths: NDArray[np.int_]) -> list[NDArray[np.intp]]:
    """Return a batch in parts that fit into memory together: few rows of long texts, all of short ones."""
    most = max(1, AT_ONCE // int(lengths[rows].max()))
    return np.split(rows, range(most, len(rows), most))


def schedule(step: int, total: int) -> float:
    """Return the share of the full rate at `step`: up over the first tenth of the steps, then down to nothing."""
    return min(1.0, (step + 1) / (WARM_UP * total + 1)) * (1 - step / total)


def has_bf16() -> bool:
    """Return whether the processor multiplies in bfloat16, which halves a step; elsewhere it is emulated, and slow."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except FileNotFoundError:  # not Linux
        return False
    return not flags.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})
