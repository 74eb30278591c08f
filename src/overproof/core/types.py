"""The nouns: every record that passes between stages.

Small collections travel as these records; large ones as Polars tables with one record per row (`core/tables.py`
derives the columns from the class). Money is US dollars, times are UTC, durations say their unit in the name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NewType, dataclass_transform

import msgspec
from msgspec import Meta

PromptId = NewType("PromptId", str)
"""Hash of everything that was asked: messages and parameters."""
UnitId = NewType("UnitId", str)
"""A unit of evidence: requests whose scores are not independent share one."""

SplitName = Literal["train", "tune", "calibrate", "test"]
Window = Literal["training", "evaluation"]
Reference = Literal["gold", "teacher"]
Outcome = Literal["proven", "failed", "unproven"]
BoundKind = Literal["exact", "anytime", "asymptotic"]


class _KeywordOnly(msgspec.StructMeta):
    """msgspec does not hand `kw_only` down to subclasses; this does, so that records may grow in any order."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:  # noqa: ANN401 - msgspec's own signature
        config.setdefault("kw_only", True)
        return super().__new__(cls, name, bases, namespace, **config)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record(msgspec.Struct, metaclass=_KeywordOnly, frozen=True, forbid_unknown_fields=True):
    """Immutable, keyword-only, and strict about fields it does not know."""


FROM_CACHE = {"cache_hit": "true"}
"""Metadata of a call that a gateway answered from its cache: traffic, but no second opinion of the model's, no cost."""


# --- what was asked and answered -------------------------------------------------------------------------------------


class Message(Record):
    """One turn of a conversation, as it goes over the wire."""

    role: str
    content: str = ""
    """The text. Parts of a multi-part message are joined by newlines."""
    extra: dict[str, Any] = {}
    """Whatever else the turn carried (tool calls, name, non-text parts), kept to be sent again as it was."""


class Exchange(Record):
    """One call found in a log, and who answered it. Texts are redacted."""

    id: str
    """The log's own id; where that is missing or taken, one made from the place the row stands in."""
    source: str
    """`file:line` (or `file:row`) the call was read from."""
    at: datetime | None = None
    model: str = ""
    """Model that was asked for."""
    answered_by: str = ""
    """Model that says it answered; providers may answer with a dated name."""
    release: str | None = None
    """Student release that answered, if one did."""
    messages: tuple[Message, ...]
    parameters: dict[str, Any] = {}
    """Every other field of the request that can change the answer (temperature, max_tokens, tools, ...)."""
    answer: str | None = None
    """Text of the first choice; None when the call failed."""
    finish_reason: str | None = None
    status: int = 200
    error: str | None = None
    user: str | None = None
    conversation: str | None = None
    metadata: dict[str, str] = {}
    gold: str | None = None
    """A right answer known from elsewhere. For evaluation only."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    logprob: float | None = None
    """Sum of the answer tokens' log-probabilities, where the log has them."""


class SetAside(Record):
    """A row that could not be read: where it stands and why. Counted and kept, never dropped in silence."""

    source: str
    reason: str
    excerpt: str = ""
    """First characters of the row, redacted."""


class Prompt(Record):
    """A distinct request: what the teacher is asked and the student learns from."""

    id: PromptId
    input: str
    """The varying part: what a student sees."""
    messages: tuple[Message, ...]
    parameters: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    """Of the first request that asked it."""
    seen: int = 1
    """Requests that asked exactly this, in the whole log."""
    unit: UnitId


class Request(Record):
    """One occurrence of a prompt in the task's traffic: the row that evaluation counts."""

    id: str
    """The exchange's id."""
    prompt_id: PromptId
    unit: UnitId
    at: datetime | None = None
    window: Window
    split: SplitName | None = None
    """None for a row that had to be dropped: its units merged across splits, or its group belongs elsewhere."""
    repeat: bool = False
    """Its unit also stands in the training window."""
    length: int = 0
    """Characters of the input."""
    language: str = ""
    """ISO 639-1 code found in the input, "" when unsure."""
    topic: str | None = None
    """Name of what the input is about, "" when unclear; None where no slice speaks of topics."""
    slices: tuple[str, ...] = ()
    """Names of the slices it belongs to; always holds "all" and one of "new" and "repeat"."""
    metadata: dict[str, str] = {}
    model: str = ""
    by_teacher: bool = False
    """Whether the named teacher answered it."""
    answer: str | None = None
    finish_reason: str | None = None
    gold: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    logprob: float | None = None


class Completion(Record):
    """One answer of the teacher (or another model) to one prompt."""

    prompt_id: PromptId
    sample: int = 0
    model: str
    text: str | None = None
    finish_reason: str | None = None
    error: str | None = None
    """Why there is no text, after every retry."""
    source: Literal["log", "asked", "cache"]
    """`log`: reused from the logs; `asked`: bought in this run; `cache`: bought in an earlier one."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float = 0.0
    latency_ms: float | None = None
    logprob: float | None = None
    """Sum of the answer tokens' log-probabilities, where they are known."""


class Reading(Record):
    """What an answer's text means to the task."""

    answer: str | None
    """Normal form (for classify: one of the labels); None when the text cannot be read."""
    recovered: bool = False
    """It took the normaliser to read it."""


class Example(Record):
    """A prompt with the answer a student should learn."""

    prompt_id: PromptId
    unit: UnitId
    split: SplitName
    input: str
    answer: str
    votes: dict[str, float] = {}
    """Share of the samples that gave each answer: the soft label. Sums to 1."""
    weight: float = 1.0
    """Times seen in its split: how often production asks this."""
    slices: tuple[str, ...] = ()


class Rejection(Record):
    """An answer that training must not see, and the rule that objected first."""

    prompt_id: PromptId
    sample: int
    split: SplitName
    rule: str
    reason: str
    slices: tuple[str, ...] = ()


# --- what each stage found, for the summary and the report ------------------------------------------------------------


class Price(Record):
    """Dollars per million tokens."""

    input: Annotated[float, Meta(ge=0)]
    output: Annotated[float, Meta(ge=0)]


class EndpointOptions(Record):
    """An OpenAI-compatible endpoint and one of its models."""

    model: str
    base_url: str | None = None
    """`https://host/v1`, or `replay:helpdesk` for the recorded demo models. None: only logged answers can be used."""
    api_key_env: str | None = None
    """Environment variable that holds the key; None for endpoints that need none."""
    price: Price | None = None
    """None: looked up by model name in a maintained price library."""
    send_metadata: tuple[str, ...] = ()
    """Metadata keys sent along when asking; most providers want none."""
    at_once: Annotated[int, Meta(ge=1)] = 16
    """Requests in flight at most. More is faster until the provider pushes back; it adapts downwards by itself."""
    timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    """Seconds before one attempt is given up."""
    attempts: Annotated[int, Meta(ge=1)] = 6
    """Tries for each answer, with growing pauses, before the row is recorded as failed."""


class FileRead(Record):
    """One log file: what it was taken for and what became of its rows."""

    path: str
    format: str
    sure: float
    """How sure the detection was, in [0, 1]; 1 when the contract said so."""
    rows: int
    kept: int
    set_aside: int
    joined: int = 0
    """Rows that completed calls of another file; rows = kept + set_aside + joined."""
    failed: int = 0
    """Of those kept, calls that failed."""
    cached: int = 0
    """Of those kept, calls that a gateway answered from its cache."""
    saw: str = ""
    """What the detection saw, in words."""


class LogSummary(Record):
    """What reading the logs gave."""

    files: tuple[FileRead, ...]
    reasons: dict[str, int]
    """Rows set aside, by reason."""
    redacted: dict[str, int]
    """Texts in which something was masked, by what it was (email, phone, ...)."""
    gold: int = 0
    """Exchanges a right answer is known for."""


class PromptSummary(Record):
    """What the prompt set is made of."""

    exchanges: int
    """Answered or not, of this task."""
    out_of_scope: int
    """Exchanges of other tasks in the same logs, and those without the input."""
    prompts: int
    units: int
    joined_by: tuple[str, ...]
    """What joined requests into units; the key of `proof.group` alone, where there is one."""
    not_joined_by: dict[str, str] = {}
    """What was left out of the joining, and why."""
    largest_unit: float
    """Share of all requests in the largest unit."""
    windows: Literal["time", "unit hash"]
    """How the two windows were cut; by hash when there are no usable timestamps."""
    cut_at: datetime | None = None
    days: float | None = None
    """Length of the evaluation window."""
    requests: dict[str, int]
    """Requests in each split; `dropped` counts those in none, for their units merged across splits, or `proof.group`
    keeps what is learned from and what is judged by apart. The notes say why."""
    split_units: dict[str, int]
    n_max: int
    requests_per_month: float
    notes: tuple[str, ...] = ()
    """What a person should know (no timestamps, one huge unit, ...)."""


class MatchRow(Record):
    """One dimension along which the prompt set and live traffic are compared."""

    dimension: str
    """`slice`, `label`, `length`, `language`, or all of them crossed: `joint`."""
    total_variation: float
    """Half the summed difference of shares, in [0, 1]."""
    expected: float
    """What two samples of one traffic may show: 95 % of deals of their units keep this and `explained` everywhere."""
    prompt_set: dict[str, float]
    live: dict[str, float]
    """Shares by value in each; empty for `joint`."""
    explained: dict[str, float] = {}
    """By how much the two shares of each value may differ by chance, all values and distances at once."""
    moved: tuple[str, ...] = ()
    """Values whose shares differ by more than that, the furthest beyond it first."""
    flagged: bool
    """More than chance explains: the distance, or one of the values."""


class Match(Record):
    """How far the prompt set is from live traffic."""

    rows: tuple[MatchRow, ...]
    auc: float
    """Of a classifier trained to tell the two apart on unseen units: 0.5 when it cannot."""
    auc_lower: float
    auc_upper: float
    prompt_set_requests: int
    live_requests: int


class FunnelRow(Record):
    """What one rule did to one slice."""

    rule: str
    slice: str
    rejected: int
    reasons: dict[str, int] = {}


class Funnel(Record):
    """From teacher answers to examples: nothing is lost in between."""

    prompts: int
    completions: int
    recovered: int
    """Answers only the normaliser could read."""
    resampled: int
    """Prompts that were asked more than once."""
    rejected: int
    disagreed: int
    """Prompts whose samples gave no majority."""
    examples: int
    rows: tuple[FunnelRow, ...] = ()
    by_slice: dict[str, tuple[int, int]] = {}
    """Prompts in and examples out, by slice."""


class Kept(Record):
    """The labels one way of sampling leaves to learn from, in one slice, and how many of them are right.

    Held against gold, which only this description reads: nothing is chosen by it.
    """

    way: Literal["first answer", "targeted", "random"]
    """`first answer`: as the teacher gave them; `targeted`: asked again where doubtful or critical, verified, and what
    stays doubtful dropped; `random`: asked again as often, but drawn by chance (`sampling.control`)."""
    slice: str
    prompts: int
    """Prompts of train and tune in the slice that gold is known for; for `random`, those of them drawn by chance."""
    right_before: int
    """Of those, whose first answer is gold's."""
    kept: int
    right: int
    """Of those kept, whose label is gold's."""
    lower: float
    upper: float
    """Exact 95 % interval of right / kept."""
    resampled: int
    """Prompts asked more than once."""
    usd: float
    """Spent beyond the first answers, verification included, at the models' prices (cached answers count too)."""


class Sampling(Record):
    """What asking again and verifying did, and what it bought."""

    doubted: int
    """Prompts whose first answer was doubted."""
    reasons: dict[str, int]
    """Doubted prompts by the reason that weighed most."""
    resampled: int
    """Prompts asked more than once, critical ones included."""
    answers: int
    """Answers beyond the first ones."""
    settled: int
    """Re-sampled prompts whose vote was settled."""
    verified: int
    """Answers put to the verifier."""
    refuted: int
    """Of those, the ones it did not confirm."""
    dropped: int
    """Prompts left out because they stayed doubtful."""
    usd: float
    """What all this costs at the models' prices, cached or not."""
    rows: tuple[Kept, ...] = ()
    """Empty where there is no gold."""


class Doubtful(Record):
    """A prompt that was left out because its answer stayed doubtful, for a person to look at."""

    prompt_id: PromptId
    unit: UnitId
    split: SplitName
    input: str
    answer: str
    """What most of its samples said."""
    votes: dict[str, float] = {}
    doubt: float
    """Chance that the answer is wrong, by everything but gold."""
    reason: str
    weight: float
    """Times seen in its split: a mistake here costs so many times."""
    slices: tuple[str, ...] = ()


class Ceiling(Record):
    """How often the teacher agrees with itself, which no student can beat by more than a square root."""

    pairs: int
    agreeing: int
    agreement: float | None
    """None when nothing was asked twice."""
    upper: float
    """Upper bound of the agreement any student can reach against one teacher sample."""
    level: float
    source: str
    """Where the pairs come from: repeats in the log, or asked again."""


class Spending(Record):
    """What the teacher's answers cost."""

    reused: int
    """Answers taken from the logs."""
    cached: int
    """Answers bought in earlier runs."""
    bought: int
    failed: int
    usd: float
    """Spent in this run."""
    usd_all_runs: float


# --- what a candidate says, and what it is worth ------------------------------------------------------------------


class Prediction(Record):
    """A candidate's own answer to a prompt, before any threshold."""

    prompt_id: PromptId
    answer: str | None
    """None: it has nothing to say, the teacher must answer."""
    confidence: float
    """Calibrated chance of being right, in [0, 1]."""
    cost_usd: float = 0.0
    latency_ms: float | None = None


class Score(Record):
    """How right one request was answered, by the student alone and by the system."""

    request_id: str
    unit: UnitId
    student: float
    teacher: float
    system: float
    answered: bool
    """Whether the student answers it at the calibrated threshold."""


class Estimate(Record):
    """A rate with its doubt."""

    value: float
    lower: float
    upper: float
    kind: BoundKind
    level: float
    """Chance, at most, that the interval misses the truth on one given side."""
    requests: int
    units: int
    effective: float
    """Kish's effective number of units under the weights used."""


class Verdict(Record):
    """One promise, held against the evidence."""

    condition: Literal["bar", "risk", "saving", "latency", "cost"]
    slice: str = "all"
    metric: str
    subject: Literal["system", "student"]
    """`system`: student above its threshold, teacher below. `student`: it alone answers everything."""
    reference: Reference
    bar: float
    """The promise: at least for `bar` and `saving`, at most for `risk`, `latency` and `cost`."""
    outcome: Outcome
    estimate: Estimate | None = None
    """None when nothing in the slice could be scored."""
    level: float
    """Error probability spent on `proven`."""
    n_max: int = 1
    """A unit counts for at most so many of its requests."""
    capped: float = 0.0
    """Share of requests beyond n_max, which carry no weight."""
    worst_case: int = 0
    """Requests scored as wrong because no reference could be had."""
    more_units: int | None = None
    """About so many more units would prove it, if the estimate is right; None when none would."""
    more_days: float | None = None
    """Days of traffic at the log's own rate that bring `more_units`."""
    required: bool = True
    """Part of the release conditions."""
    exploratory: bool = False
    """The test had been read before this was asked: informative, but it cannot release."""


class CurvePoint(Record):
    """What one threshold would do, on `calibrate`."""

    threshold: float
    coverage: float
    risk: float
    risk_upper: float
    teacher_share: float
    cost_per_1k: float
    latency_mean_ms: float | None = None


class ReliabilityBin(Record):
    """Of the predictions with about this confidence, how many were right."""

    lower: float
    upper: float
    confidence: float
    accuracy: float
    n: int


class SliceThreshold(Record):
    """What calibration could certify for one critical slice."""

    slice: str
    certified: bool
    answered_units: int
    errors: int
    p_value: float
    more_units: int | None = None
    more_days: float | None = None


class SuggestedSlice(Record):
    """A part of the traffic in which a candidate errs more often than elsewhere, found on `calibrate`."""

    name: str
    where: str
    """The condition, in the slice language; what it holds of the logs is quoted."""
    requests: int
    units: int
    error: Estimate
    """Of the candidate alone, one drawn request for each unit."""
    rest: Estimate
    """The same of all other units."""
    excess: float
    """Share of all units that are in error here and would not be at the rest's rate: what it is ranked by."""
    p_value: float
    """Adjusted: chance that any value looked at stands out as much where nothing is unusual, at most."""
    toml: str
    """What to paste into the contract."""


class Suggestions(Record):
    """What looking for slices found."""

    candidate: str
    """The student that was likeliest to pass."""
    reference: Reference
    looked_at: int
    """Values with enough units, each looked at by itself."""
    units: int
    level: float
    """Chance, at most, that anything is suggested where nothing is unusual."""
    slices: tuple[SuggestedSlice, ...] = ()
    """What matters most first."""


class Confidence(Record):
    """How a candidate's probabilities become the chance that its answer is right: data, fitted on `tune` alone."""

    kind: Literal["top", "head"] = "top"
    """`top`: the top probability as it is; `head`: a logistic model of being right (`proof/confidence.py`)."""
    features: tuple[str, ...] = ()
    centre: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    intercept: float = 0.0


class Calibration(Record):
    """When a candidate may answer: the threshold, and what it was derived from."""

    candidate: str
    reference: Reference
    alpha: float
    delta: float
    temperature: float = 1.0
    confidence: Confidence = Confidence()
    threshold: float | None
    """Answer when confidence >= threshold; None: nothing could be certified, the teacher answers all."""
    shifts: dict[str, float] = {}
    """Log-odds added to the confidence of requests in a critical slice before the threshold is applied, fitted on
    `tune`: a threshold of its own for each. A request in several takes the lowest result."""
    coverage: float
    """Share of `calibrate` requests it answers."""
    risk: float
    answered_units: int
    errors: int
    p_value: float
    always_teacher: tuple[str, ...] = ()
    """Critical slices that could not be certified: the teacher answers them."""
    slices: tuple[SliceThreshold, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    ece: float
    brier: float
    reliability: tuple[ReliabilityBin, ...] = ()


class Economics(Record):
    """What answering costs, per thousand requests and per month at the log's own volume."""

    requests_per_month: float
    teacher_per_1k: float
    student_per_1k: float
    blended_per_1k: float
    saved_per_month: float
    spent: float
    """Dollars this project has paid the teacher so far."""
    break_even_requests: float | None
    """Requests after which the saving has paid for what was spent; None when it never does."""


class Candidate(Record):
    """A baseline or a student with everything measured about it."""

    name: str
    family: Literal["baseline", "student"]
    kind: str
    calibration: Calibration
    verdicts: tuple[Verdict, ...] = ()
    """Empty when it was not tested: an earlier one in the sequence was not proven."""
    slices: tuple[SliceResult, ...] = ()
    economics: Economics | None = None
    margin: float | None = None
    """Smallest margin over all conditions on `calibrate`, in standard errors: what it was ordered by."""
    size_bytes: int | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    train_seconds: float | None = None
    tested: bool = False
    proven: bool = False


class SliceResult(Record):
    """One row of the table candidates x slices."""

    slice: str
    critical: bool
    requests: int
    units: int
    share: float
    """Of the test's requests."""
    answered: float
    """Share of the slice's requests the student answers."""
    student: Estimate | None
    system: Estimate | None
    teacher: Estimate | None
    always_teacher: bool = False


class Decision(Record):
    """How a run ended."""

    outcome: Literal["baseline", "released", "not_proven", "exploratory"]
    winner: str | None = None
    reason: str
    """One sentence for people."""
    release: str | None = None
    """Folder of the release, relative to the project."""
    release_id: str | None = None
    """Digest of its checksums: note it, and loading can tell that nothing was exchanged."""
    level: float
    """Error probability this decision spent in all."""


class Manifest(Record):
    """What an artefact was made from."""

    stage: str
    key: str
    version: int
    inputs: dict[str, str] = {}
    """Key of each artefact it was made from."""
    files: dict[str, str] = {}
    """Digest of each file it holds."""
    made_at: datetime
    seconds: float
    summary: dict[str, Any] = {}
