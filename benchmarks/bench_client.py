"""Measure the teacher client: calls a second and CPU for each, beside the openai SDK, and what the cache costs.

python benchmarks/bench_client.py [--rounds 3] [--seconds 3]

A server in its own process answers everything with one completion; client and server are pinned to different cores
where there are two. Every client runs in a fresh process with 64 calls under way, and the rounds take turns. `ours` is
the whole stack: retries, limiter, accounting, budget, cache key, and a line written for each answer. uvloop is used by
all, where it is installed. While the machine is busy, trust the CPU time and the ratios, not the calls a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

AT_ONCE = 64
WARM_S = {"openai": 5.0}
"""Seconds before the clock starts: httpx takes that long to reach its own speed."""
SYSTEM = "You are a support-intent classifier for a bank. Answer with one label from the list and a short reason. " * 2
QUESTION = "Hi, my card payment at the grocery store was declined this morning, though my balance should cover it. Why?"
PARAMETERS = {"temperature": 0, "max_tokens": 64}
ANSWER = json.dumps(
    {
        "id": "chatcmpl-0123456789abcdef0123456789",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "fake-model",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "card_payment_declined. The customer asks why a purchase was refused although the "
                    "account holds enough money.",
                    "refusal": None,
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 96, "completion_tokens": 24, "total_tokens": 120},
        "system_fingerprint": "fp_0123456789",
    }
).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER

Call = Callable[[int], Awaitable[Any]]
"""Asks question number i."""


class Server(asyncio.Protocol):
    """Answers each request with the same bytes: as little work as a server can do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: Any = transport  # uvloop's is no asyncio.Transport by class, only by behaviour
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self.buffer += data
        while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
            start = self.buffer[:head].lower().index(b"content-length:") + 15
            length = int(self.buffer[start:].split(b"\r\n", 1)[0])
            if len(self.buffer) < head + 4 + length:
                return
            self.buffer = self.buffer[head + 4 + length :]
            self.transport.write(RESPONSE)


async def serve() -> None:
    """Say the port, then answer until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@asynccontextmanager
async def openai(url: str) -> AsyncIterator[Call]:
    """Yield a call of the openai SDK, its retries off."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        create: Any = client.chat.completions.create  # its overloads do not take a dict of parameters

        def call(i: int) -> Awaitable[Any]:
            messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{QUESTION} {i}"}]
            answered: Awaitable[Any] = create(model="fake-model", messages=messages, **PARAMETERS)
            return answered

        yield call


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Call]:
    """Yield a call of the whole stack; every question is new, so nothing comes from the cache."""
    from overproof.core.protocols import Ask
    from overproof.core.types import EndpointOptions, Message, Price
    from overproof.models.budget import Budgeted, Purse
    from overproof.models.cached import Cached
    from overproof.models.endpoint import Endpoint

    options, price = EndpointOptions(model="fake-model", base_url=url, at_once=AT_ONCE), Price(input=1.0, output=2.0)
    with tempfile.TemporaryDirectory() as folder:
        async with Endpoint(options, "none", price) as endpoint:
            with Cached(Budgeted(endpoint, Purse(1e6), price), Path(folder) / "answers.jsonl") as model:

                async def call(i: int) -> None:
                    messages = Message(role="system", content=SYSTEM), Message(role="user", content=f"{QUESTION} {i}")
                    reply = await model.ask(Ask(messages=messages, parameters=PARAMETERS))
                    assert reply.error is None, reply.error

                yield call


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Call]:
    """Yield a call of aiohttp and msgspec alone: the floor under ours."""
    import aiohttp
    import msgspec

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(i: int) -> Any:  # noqa: ANN401 - JSON
            messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{QUESTION} {i}"}]
            body = msgspec.json.encode({"model": "fake-model", "messages": messages, **PARAMETERS})
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{url}/chat/completions", data=body, headers=headers) as response:
                return msgspec.json.decode(await response.read())

        yield call


CLIENTS = {"ours": ours, "bare": bare, "openai": openai}


async def measure(name: str, url: str, seconds: float) -> None:
    """Drive one client and print its figures."""
    numbers = iter(range(10**9))
    async with CLIENTS[name](url) as call:

        async def drive(until: float) -> int:
            async def work() -> int:
                done = 0
                while time.perf_counter() < until:
                    await call(next(numbers))
                    done += 1
                return done

            return sum(await asyncio.gather(*(work() for _ in range(AT_ONCE))))

        await drive(time.perf_counter() + WARM_S.get(name, 1.0))
        began, cpu = time.perf_counter(), time.process_time()
        calls = await drive(began + seconds)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"calls_s": calls / wall, "cpu_us": cpu / calls * 1e6}))


async def cache(folder: Path, n: int = 100_000) -> None:
    """Print what it takes to open a file of `n` answers, and to find each of them again."""
    from overproof.core.protocols import Ask
    from overproof.core.types import Message
    from overproof.models.cached import Cached
    from overproof.models.fake import FakeModel
    from overproof.teacher.ask import ask

    asks: list[Any] = [
        (str(i), Ask(messages=(Message(role="user", content=f"{QUESTION} {i}"),), parameters=PARAMETERS))
        for i in range(n)
    ]
    path = folder / "answers.jsonl"
    with Cached(FakeModel(lambda _: "card_payment_declined"), path) as model:
        await ask(model, asks)
    began = time.perf_counter()
    with Cached(FakeModel({}), path) as model:
        opened = time.perf_counter() - began
        began = time.perf_counter()
        found = await ask(model, asks)
        took = time.perf_counter() - began
    assert all(each.source == "cache" for each in found)
    print(f"cache: {n:,} answers opened in {opened:.2f} s, all found again in {took:.2f} s ({n / took:,.0f} a second)")


def fresh(core: int | None, *arguments: str) -> list[str]:
    """Return the command that runs this file pinned to `core`."""
    pin = ["taskset", "-c", str(core)] if core is not None else []
    return [*pin, sys.executable, __file__, *arguments]


def compare(rounds: int, seconds: float) -> None:
    """Print a table of the clients and the ratios of ours to each."""
    cores: list[int | None] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []  # type: ignore[assignment]  # a list of int is one of int | None here
    client, server = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
    with subprocess.Popen(fresh(server, "--serve"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        try:
            for _ in range(rounds):
                for name in CLIENTS:
                    command = fresh(client, "--drive", name, url, "--seconds", str(seconds))
                    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                    rows[name].append(json.loads(said))
        finally:
            process.terminate()
    print(f"{'client':10}{'calls/s':>10}{'CPU us':>10}{'ours: calls/s':>16}{'CPU':>8}")
    for name, found in rows.items():
        ratios = [
            (mine["calls_s"] / theirs["calls_s"], theirs["cpu_us"] / mine["cpu_us"])
            for mine, theirs in zip(rows["ours"], found, strict=True)
        ]
        calls, cpu = (statistics.median(row[key] for row in found) for key in ("calls_s", "cpu_us"))
        faster, leaner = (statistics.median(column) for column in zip(*ratios, strict=True))
        print(f"{name:10}{calls:>10,.0f}{cpu:>10.1f}{faster:>15.1f}x{leaner:>7.1f}x")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run under uvloop where it is installed."""
    try:
        from uvloop import new_event_loop  # type: ignore[import-not-found,unused-ignore]  # optional
    except ImportError:
        asyncio.run(main)
        return
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--drive", nargs=2, metavar=("NAME", "URL"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        run(serve())
    elif args.drive:
        name, url = args.drive
        run(measure(name, url, args.seconds))
    else:
        compare(args.rounds, args.seconds)
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(cache(Path(folder)))


if __name__ == "__main__":
    main()
