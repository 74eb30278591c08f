from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from overproof.logs.options import LogSource, PrivacyOptions
from overproof.logs.read import Logged, read


def asked(name: str, text: str) -> dict[str, Any]:
    body = {"model": "big", "messages": [{"role": "user", "content": text}]}
    return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}


def said(name: str, text: str) -> dict[str, Any]:
    body = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    return {"id": "b", "custom_id": name, "response": {"status_code": 200, "body": body}, "error": None}


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def logged(folder: Path, *paths: str) -> Logged:
    return read([LogSource(path=path) for path in paths], folder, PrivacyOptions(redact=False))


def answers(found: Logged) -> list[tuple[str, str | None]]:
    texts = [json.loads(each)[-1]["content"] for each in found.exchanges["messages"]]
    return sorted(zip(texts, found.exchanges["answer"], strict=True))


def test_a_part_in_the_same_folder_goes_before_one_elsewhere(tmp_path: Path) -> None:
    """People count their requests anew in every batch."""
    for batch in ("monday", "tuesday"):
        write(tmp_path / batch / "in.jsonl", asked("request-1", f"asked on {batch}"))
        write(tmp_path / batch / "out.jsonl", said("request-1", f"said on {batch}"))

    found = logged(tmp_path, "*/*.jsonl")

    assert answers(found) == [("asked on monday", "said on monday"), ("asked on tuesday", "said on tuesday")]


def test_an_input_elsewhere_is_found_under_another_table(tmp_path: Path) -> None:
    write(tmp_path / "inputs/a.jsonl", asked("r", "asked"))
    write(tmp_path / "outputs/a.jsonl", said("r", "said"))

    assert answers(logged(tmp_path, "outputs/*", "inputs/*")) == [("asked", "said")]


def test_an_id_that_means_two_requests_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path / "in1.jsonl", asked("r", "one"))
    write(tmp_path / "in2.jsonl", asked("r", "other"))
    write(tmp_path / "out.jsonl", said("r", "said"))

    assert logged(tmp_path, "*").summary.reasons == {"two requests under its custom_id": 1}


def test_a_request_that_another_folder_answered_is_unanswered_here(tmp_path: Path) -> None:
    write(tmp_path / "a/in.jsonl", asked("r", "answered"))
    write(tmp_path / "a/out.jsonl", said("r", "said"))
    write(tmp_path / "b/in.jsonl", asked("r", "not answered"))

    found = logged(tmp_path, "*/*")

    assert answers(found) == [("answered", "said"), ("not answered", None)]
    assert {file.path: (file.kept, file.joined) for file in found.summary.files} == {
        "a/in.jsonl": (0, 1),
        "a/out.jsonl": (1, 0),
        "b/in.jsonl": (1, 0),
    }


def test_scores_reach_every_call_of_their_trace(tmp_path: Path) -> None:
    about = {"type": "GENERATION", "start_time": "2026-09-07 12:00:00", "input": "a", "output": "b", "model": "big"}
    write(tmp_path / "o.jsonl", *({"id": f"o{i}", "trace_id": "t", **about} for i in range(2)))
    write(tmp_path / "s.jsonl", {"name": "good", "value": 1, "trace_id": "t", "data_type": "NUMERIC"})

    found = logged(tmp_path, "*")

    assert found.exchanges["metadata"].str.contains('"score.good":"1"', literal=True).to_list() == [True, True]


def test_of_copies_in_a_store_the_last_counts(tmp_path: Path) -> None:
    about = {"type": "GENERATION", "start_time": "2026-09-07 12:00:00", "input": "a", "model": "big"}
    for day, output in (("1", "draft"), ("2", "final")):
        write(tmp_path / f"{day}.jsonl", {"id": "o", "trace_id": "t", **about, "output": output})

    found = logged(tmp_path, "*")

    assert found.exchanges["answer"].to_list() == ["final"]
    assert found.set_aside.select("source", "reason").rows() == [("1.jsonl:1", "duplicate of 2.jsonl:1")]
    assert all(file.rows == file.kept + file.set_aside for file in found.summary.files)


def test_calls_from_a_gateways_cache_are_counted(tmp_path: Path) -> None:
    row = {
        "call_type": "completion",
        "spend": 0.0,
        "startTime": "2026-09-07T12:00:00Z",
        "messages": [{"role": "user", "content": "a"}],
        "response": {"choices": [{"message": {"content": "b"}}]},
    }
    write(
        tmp_path / "l.jsonl",
        *({**row, "request_id": f"r{i}", "cache_hit": hit} for i, hit in enumerate([True, "False"])),
    )

    (file,) = logged(tmp_path, "*").summary.files

    assert (file.kept, file.cached, file.failed) == (2, 1, 0)


def test_an_inference_is_from_tensorzeros_cache_when_all_its_model_calls_are(tmp_path: Path) -> None:
    inference = {"function_name": "f", "variant_name": "v", "input": '{"messages": []}', "output": "b", "tags": {}}
    call = {"model_name": "big", "input_messages": [{"role": "user", "content": "a"}], "output": "b"}
    write(tmp_path / "ChatInference.jsonl", *({**inference, "id": each} for each in ("copied", "asked", "half")))
    hits = [("copied", True), ("asked", False), ("half", True), ("half", False)]
    write(
        tmp_path / "ModelInference.jsonl",
        *({**call, "id": f"m{i}", "inference_id": of, "cached": hit} for i, (of, hit) in enumerate(hits)),
    )

    found = logged(tmp_path, "*")

    cached = found.exchanges.filter(pl.col("metadata").str.contains("cache_hit"))["id"].to_list()
    assert cached == ["copied"]
    assert sum(file.cached for file in found.summary.files) == 1


def test_a_cache_hit_that_litellm_told_langfuse_of_is_counted(tmp_path: Path) -> None:
    row = {"traceId": "t", "type": "GENERATION", "input": [{"role": "user", "content": "a"}], "output": "b"}
    said = [{"cache_hit": True}, {"cache_hit": "True"}, {"cache_hit": False}, {}]
    write(tmp_path / "l.jsonl", *({**row, "id": f"o{i}", "metadata": each} for i, each in enumerate(said)))

    source = LogSource(path="*", format="langfuse")
    (file,) = read([source], tmp_path, PrivacyOptions(redact=False)).summary.files

    assert (file.kept, file.cached) == (4, 2)
