"""Which answers there are and which are missing: what the logs already paid for is never asked again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import polars as pl

from overproof.core.protocols import Ask
from overproof.core.tables import records, schema
from overproof.core.types import Completion, Price, Prompt, PromptId, Spending
from overproof.models.budget import longest_answer
from overproof.models.prices import BYTES_PER_TOKEN, cost
from overproof.models.wire import sendable
from overproof.tasks.cached import from_cache

Missing = tuple[tuple[PromptId, int], ...]
"""Prompts and the number of the sample each lacks."""

EVALUATION = ("calibrate", "test")


def reuse(requests: pl.DataFrame) -> pl.DataFrame:
    """Return the named teacher's logged answers as a table of `Completion`: a prompt's samples 0, 1, ..., oldest first.

    `requests` is a table of `Request`. Rows without an answer give none, and copies from a gateway's cache are no
    samples of their own: the first counts where no other answer to its prompt is there, else none. The money was spent
    before this project, so the cost is 0.
    """
    answered = requests.filter(pl.col("by_teacher") & pl.col("answer").is_not_null())
    answered = answered.sort(from_cache(), "at", "id", nulls_last=True, maintain_order=True)
    answered = answered.filter(~from_cache() | (pl.int_range(pl.len()).over("prompt_id") == 0))
    kept = ("prompt_id", "model", "finish_reason", "input_tokens", "output_tokens", "latency_ms", "logprob")
    columns = schema(Completion)
    table = answered.select(
        *kept,
        pl.col("answer").alias("text"),
        pl.int_range(pl.len()).over("prompt_id").cast(pl.Int64).alias("sample"),
        pl.lit("log").alias("source"),
        pl.lit(None, pl.String).alias("error"),
        pl.lit(0.0).alias("cost_usd"),
    )
    return table.select(columns.names()).cast(columns)


def wanted(prompts: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Return how many answers each prompt needs: columns `prompt_id` and `samples`, in the order of `prompts`.

    One for every prompt that stands in a split. A prompt all of whose requests were dropped from the splits needs none
    and is left out.
    """
    dealt = requests.filter(pl.col("split").is_not_null())
    needs = dealt.select(pl.col("prompt_id").unique(), pl.lit(1, pl.Int64).alias("samples"))
    order = prompts.select(pl.col("id").alias("prompt_id"))
    return order.join(needs, on="prompt_id", how="inner", maintain_order="left")


def without_usable(
    requests: pl.DataFrame, completions: pl.DataFrame, usable: Callable[[str | None, str | None], bool]
) -> frozenset[PromptId]:
    """Return the evaluation prompts that have answers but no usable one: they are asked again, never left out.

    `usable` is handed an answer's text and finish reason; it is called once for each different pair of them.
    """
    needed = requests.filter(pl.col("split").is_in(EVALUATION))["prompt_id"].unique()
    held = completions.filter(pl.col("prompt_id").is_in(needed.implode()))
    kinds = held.select("text", "finish_reason").unique(maintain_order=True)
    verdicts = kinds.with_columns(pl.Series("usable", [usable(*kind) for kind in kinds.iter_rows()], dtype=pl.Boolean))
    judged = held.join(verdicts, on=["text", "finish_reason"], how="left", nulls_equal=True)
    hopeless = judged.group_by("prompt_id").agg(pl.col("usable").any()).filter(~pl.col("usable"))
    return frozenset(map(PromptId, hopeless["prompt_id"]))


def missing(needs: pl.DataFrame, completions: pl.DataFrame, again: Collection[PromptId] = ()) -> Missing:
    """Return the samples that must be asked for: what `wanted` says, less what `completions` hold.

    Prompts in `again` get one sample beyond those they have. Numbers go on from the last one held, so that a sample
    that was asked for keeps its number, and its place in the cache, in every later run.
    """
    held = completions.group_by("prompt_id").agg((pl.col("sample").max() + 1).alias("held"))
    table = needs.join(held, on="prompt_id", how="left", maintain_order="left").with_columns(
        pl.col("held").fill_null(0)
    )
    more = pl.col("prompt_id").is_in(list(again))
    last = pl.max_horizontal("samples", pl.when(more).then(pl.col("held") + 1).otherwise(0))
    lacking = table.select("prompt_id", pl.int_ranges("held", last).alias("sample")).explode("sample").drop_nulls()
    return tuple((PromptId(prompt), sample) for prompt, sample in lacking.iter_rows())


def once_more(prompts: pl.Series, completions: pl.DataFrame) -> Missing:
    """Return one more sample for each of `prompts` (ids), beyond those `completions` hold."""
    needs = pl.DataFrame({"prompt_id": prompts, "samples": 0}, schema={"prompt_id": pl.String, "samples": pl.Int64})
    return missing(needs, completions, again=[PromptId(each) for each in prompts])


def asks(
    lacking: Iterable[tuple[PromptId, int]],
    prompts: pl.DataFrame,
    send_metadata: Collection[str] = (),
    temperature: float | None = None,
) -> list[tuple[PromptId, Ask]]:
    """Return the calls that would bring the missing samples; of the metadata only `send_metadata` goes along.

    `temperature` takes the place of the request's own, None leaves that as it is.
    """
    pairs = list(lacking)
    needed = prompts.filter(pl.col("id").is_in([prompt for prompt, _ in pairs]))
    by_id = {prompt.id: prompt for prompt in records(needed, Prompt)}
    return [(name, _ask(by_id[name], sample, send_metadata, temperature)) for name, sample in pairs]


def _ask(prompt: Prompt, sample: int, send_metadata: Collection[str], temperature: float | None) -> Ask:
    sent = sendable(prompt.metadata, send_metadata)
    warmth = {} if temperature is None else {"temperature": temperature}
    parameters = prompt.parameters | warmth
    return Ask(messages=prompt.messages, parameters=parameters, metadata=sent, sample=sample, about=prompt.id)


def estimate(calls: Iterable[tuple[PromptId, Ask]], price: Price, output_tokens: float | None = None) -> float:
    """Return about what `calls` would cost, in dollars.

    Input is taken at 3.5 bytes a token, output at `output_tokens` (what logged answers came to on average) or the
    request's own limit, whichever is less. Good to a third or so; the budget itself is held by the purse, call by call.
    """
    dollars = 0.0
    for _, ask in calls:
        sent = sum(len(message.content.encode("utf-8", "surrogatepass")) for message in ask.messages)
        limit = longest_answer(ask.parameters)
        dollars += cost(price, sent / BYTES_PER_TOKEN, limit if output_tokens is None else min(limit, output_tokens))
    return dollars


def typical_output(requests: pl.DataFrame) -> float | None:
    """Return the tokens of the teacher's logged answers, on average; None when the log does not say."""
    logged = requests.filter(pl.col("by_teacher"))["output_tokens"].drop_nulls()
    return float(logged.sum()) / logged.len() if logged.len() else None


def spending(completions: pl.DataFrame, usd_all_runs: float) -> Spending:
    """Return what a table of `Completion` cost; `usd_all_runs` is what the cache's file has cost in all."""
    source, whole = completions["source"], completions["error"].is_null()
    return Spending(
        reused=int(((source == "log") & whole).sum()),
        cached=int(((source == "cache") & whole).sum()),
        bought=int(((source == "asked") & whole).sum()),
        failed=int((~whole).sum()),
        usd=float(completions.filter(pl.col("source") == "asked")["cost_usd"].sum()),
        usd_all_runs=usd_all_runs,
    )
