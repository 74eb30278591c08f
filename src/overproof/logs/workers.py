"""Processes that read chunks side by side; what they find comes in order."""

from __future__ import annotations

import io
import os
import queue
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import polars as pl

from overproof.logs import pieces, worker
from overproof.logs.chunks import Chunk
from overproof.logs.pieces import Finish, Piece
from overproof.logs.worker import Begin, Done, Task

MOST = 4
"""Each holds a chunk and what is made of it: some 200 MiB."""

T = TypeVar("T")
Job = Callable[[], T]


class WorkerLost(RuntimeError):
    """A worker ended before it had answered; the message is the last it said."""


class Workers:
    """Some processes; each is handed one chunk after another."""

    def __init__(self, how: Finish, n: int) -> None:
        self._how = how
        self.n = n
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._started: list[_Process] = []

    def read(self, chunk: Chunk, source: str, form: str) -> Piece:
        """Return a chunk as a piece; called from as many threads as there are processes."""
        try:
            process = self._idle.get_nowait()
        except queue.Empty:
            process = _Process(self._how)
            self._started.append(process)
        piece = process.read(chunk, source, form)
        self._idle.put(process)
        return piece

    def close(self) -> None:
        """End all processes."""
        for each in self._started:
            each.close()


class _Process:
    def __init__(self, how: Finish) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, this package
            [sys.executable, "-P", "-m", worker.__name__],  # -P: what lies in the current folder is none of its
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        gold = b"" if how.gold is None else pieces.packed(how.gold)
        self._say(Begin(redact=how.redact, on=how.on, size=len(gold)), gold)

    def read(self, chunk: Chunk, source: str, form: str) -> Piece:
        self._say(Task(size=len(chunk.data), before=chunk.before, source=source, form=form), chunk.data)
        assert self._process.stdout is not None  # a pipe was asked for
        line = self._process.stdout.readline()
        if not line:
            raise self._lost()
        done = msgspec.json.decode(line, type=Done)
        exchanges, set_aside = (self._process.stdout.read(size) for size in done.sizes)
        return Piece(exchanges, pl.read_parquet(io.BytesIO(set_aside)), done.tallies, done.redacted)

    def _say(self, said: Begin | Task, data: bytes) -> None:
        assert self._process.stdin is not None  # a pipe was asked for
        try:
            worker.send(self._process.stdin, said, data)
        except BrokenPipeError as broken:
            raise self._lost() from broken

    def _lost(self) -> WorkerLost:
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip() or "it said nothing"
        return WorkerLost(f"a process that reads logs ended with {self._process.returncode}: {said}")

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # it ended by itself, and whoever waited for it was told
        self._process.wait()
        self._errors.close()


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def started(how: Finish, n: int) -> Iterator[Workers]:
    """Hand out workers; they end with the block, whatever happens in it."""
    workers = Workers(how, n)
    try:
        yield workers
    finally:
        workers.close()


def in_order(jobs: Iterable[Job[T]], n: int) -> Iterator[T]:
    """Run jobs in `n` threads and yield what they return in their order; at most one waits for each that runs."""
    running: deque[Future[T]] = deque()
    with ThreadPoolExecutor(n) as pool:
        try:
            for job in jobs:
                running.append(pool.submit(job))
                if len(running) > n:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for each in running:
                each.cancel()
