"""Logs of customers with wording of their own: who has not been seen is not understood, and the truth is known.

Every customer sends its product's name along, and says in plain words or in its own jargon what it is about. The
words come from one pool and mean to most customers what they mean to others, but not to all: `agree` is the share that
uses a word in its usual sense. Learned from a customer's own requests, its jargon is plain; from anybody else's it is
misleading with confidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import polars as pl

from overproof.calibrate.calibrate import calibrate
from overproof.calibrate.options import CalibrateOptions
from overproof.core.splits import Calibrate, Train, Tune
from overproof.core.tables import frame, schema
from overproof.core.types import Completion, Example, Exchange, Message
from overproof.prompts.build import PromptSet, build
from overproof.prompts.options import PromptsOptions
from overproof.students.linear import Linear
from overproof.students.predict import predict
from overproof.tasks.classify import Classify
from overproof.tasks.evidence import evidence
from overproof.tasks.options import TaskOptions

LABELS = ("billing", "login", "shipping", "returns", "outage", "other")


def word(stem: str, i: int) -> str:
    """Return the i-th word on a stem, in letters: students read digits as one."""
    return stem + "".join("abcdefghij"[int(digit)] for digit in str(i))


PLAIN = [[word(label, i) for i in range(12)] for label in LABELS]
JARGON = [word("jargon", i) for i in range(60)]
"""Word i usually means label i modulo the number of labels."""
FILLER = [word("filler", i) for i in range(300)]
START = datetime(2026, 1, 5, tzinfo=UTC)
SPAN = timedelta(days=60)
TEACHER = "big"


@dataclass(frozen=True)
class Customer:
    """One customer: what it asks about, and what it calls that."""

    name: str
    topics: tuple[int, ...]
    words: tuple[str, ...]
    own: float
    """Share of its requests in jargon."""

    def asks(self, rng: Random) -> tuple[str, str]:
        """Return a text and the right label."""
        i = rng.randrange(len(self.topics))
        telling = [self.words[i]] if rng.random() < self.own else rng.sample(PLAIN[self.topics[i]], 2)
        return " ".join([*rng.sample(FILLER, 4), self.name, *telling, *rng.sample(FILLER, 3)]), LABELS[self.topics[i]]


@dataclass(frozen=True)
class Customers:
    """A population of customers, and how they write."""

    agree: float = 0.7
    """Share of customers that use a jargon word in its usual sense."""
    requests: float = 9.0
    """Of one customer, on average; sizes are geometric."""

    def draw(self, rng: Random, name: str) -> Customer:
        """Return the next customer: two topics, a word of jargon for each, and how much it likes jargon."""
        topics = rng.sample(range(len(LABELS)), 2)
        words = []
        for topic in topics:
            others = [label for label in range(len(LABELS)) if label != topic]
            sense = topic if rng.random() < self.agree else rng.choice(others)
            words.append(JARGON[rng.randrange(len(JARGON) // len(LABELS)) * len(LABELS) + sense])
        return Customer(name, tuple(topics), tuple(words), rng.betavariate(0.5, 0.5))

    def size(self, rng: Random) -> int:
        """Return how many requests a customer sends."""
        return 1 + int(rng.expovariate(1.0) * (self.requests - 0.5))


def exchanges(population: Customers, n: int, rng: Random) -> pl.DataFrame:
    """Return the log of `n` customers, in order of time; the teacher is always right."""
    rows = []
    for i in range(n):
        customer = population.draw(rng, word("product", i))
        rows += [(START + SPAN * rng.random(), *customer.asks(rng), customer.name) for _ in range(population.size(rng))]
    rows.sort()
    return frame((_exchange(i, *row) for i, row in enumerate(rows)), Exchange)


def _exchange(i: int, at: datetime, text: str, label: str, customer: str) -> Exchange:
    return Exchange(
        id=f"r{i}",
        source=f"log:{i}",
        at=at,
        model=TEACHER,
        messages=(Message(role="user", content=text),),
        answer=label,
        metadata={"customer": customer},
        cost_usd=0.001,
    )


@dataclass(frozen=True)
class Outcome:
    """What came of a threshold among customers nobody had seen."""

    threshold: float | None
    coverage: float
    """Share of the new customers' requests that are answered."""
    error: float
    """Error rate among those answered, one request a customer; 0 where nothing is."""
    units: int
    """Units the threshold was calibrated on."""


def deploy(
    population: Customers,
    group: str | None,
    seed: int,
    *,
    n: int,
    alpha: float,
    delta: float,
    per_request: bool = False,
) -> Outcome:
    """Build a prompt set, fit a student, calibrate it, and let it answer customers it has not seen.

    `group` is `proof.group`; `per_request` calibrates as if every request were a unit of its own.
    """
    rng = Random(seed)
    task = Classify(labels=LABELS)
    options = PromptsOptions()
    built = build(
        exchanges(population, n, rng), TaskOptions(name="triage"), frozenset({TEACHER}), options, (), group=group
    )
    student = Linear(penalty=0.0003).fit(Train(_examples(built, "train")), Tune(_examples(built, "tune")), LABELS, 0)
    said = predict(student, built.prompts, core_hour_usd=0.05)
    rows = built.requests.filter(split="calibrate")
    if per_request:
        rows = rows.with_columns(unit="id")
    tuned = built.requests.filter(split="tune").join(said, on="prompt_id")["confidence"].to_numpy()
    found = calibrate(
        Calibrate(evidence(rows, pl.DataFrame(schema=schema(Completion)), task, "teacher")),
        said,
        task,
        candidate="linear",
        reference="teacher",
        alpha=alpha,
        delta=delta,
        critical=(),
        tune_confidence=tuned,
        options=CalibrateOptions(),
        seed=str(seed),
    )
    if found.threshold is None:
        return Outcome(None, 0.0, 0.0, rows["unit"].n_unique())
    texts, labels = zip(*_new(population, rng, 4000), strict=True)
    chances = student.probabilities(texts)
    answered = chances.max(axis=1) >= found.threshold
    wrong = np.array(student.labels)[chances.argmax(axis=1)] != np.array(labels)
    error = float(wrong[answered].mean()) if answered.any() else 0.0
    return Outcome(found.threshold, float(answered.mean()), error, rows["unit"].n_unique())


def _new(population: Customers, rng: Random, n: int) -> Iterator[tuple[str, str]]:
    for i in range(n):
        yield population.draw(rng, word("unseen", i)).asks(rng)


def _examples(built: PromptSet, split: str) -> pl.DataFrame:
    rows = built.requests.filter(split=split).unique("prompt_id", maintain_order=True)
    rows = rows.join(built.prompts.select(prompt_id="id", input="input"), on="prompt_id", maintain_order="left")
    votes, weight = pl.lit("{}").alias("votes"), pl.lit(1.0).alias("weight")
    return rows.select("prompt_id", "unit", "split", "input", "answer", votes, weight, "slices").cast(schema(Example))
