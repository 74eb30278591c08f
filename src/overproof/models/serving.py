"""The server's half of the OpenAI wire, for recorded and fake models: real HTTP, on loopback, on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from overproof.core.chance import digest
from overproof.models.prices import tokens

JSON = "application/json"
Body = Mapping[str, Any]
"""A chat completion request as it came in: whatever JSON the client sent."""
Answer = Callable[[Body], str | None]
"""Returns the text for a request; None when there is none for it."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(completions: Handler, models: Iterable[str]) -> AsyncIterator[str]:
    """Serve `/v1/chat/completions` and `/v1/models` until left; yields the base URL, `http://127.0.0.1:port/v1`."""
    app = web.Application(client_max_size=64 * 2**20)
    listing = msgspec.json.encode({"object": "list", "data": [_model(name) for name in models]})

    async def list_models(_: web.Request) -> web.Response:
        return web.Response(body=listing, content_type=JSON)

    app.add_routes([web.post("/v1/chat/completions", completions), web.get("/v1/models", list_models)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def completion(request: Body, text: str) -> bytes:
    """Return the body of a chat completion that answers `text`; its usage is estimated by `prices.tokens`."""
    asked = sum(tokens(_content(message)) for message in request.get("messages", ()))
    answered = tokens(text)
    return msgspec.json.encode(
        {
            "id": f"chatcmpl-{digest(msgspec.json.encode(request, order='sorted'))}",
            "object": "chat.completion",
            "created": 0,
            "model": request.get("model", ""),
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                    "logprobs": None,
                }
            ],
            "usage": {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered},
        }
    )


def error(status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an error in OpenAI's shape."""
    said = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return web.Response(status=status, body=msgspec.json.encode(said), content_type=JSON, headers=headers)


def parsed(data: bytes) -> Body | web.Response:
    """Return the request in a body, or the 400 that it deserves."""
    try:
        body = msgspec.json.decode(data)
    except msgspec.MsgspecError as wrong:
        return error(400, f"the body is not JSON ({wrong})", "invalid_json")
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("messages"), list)
        or not isinstance(body.get("model"), str)
    ):
        return error(400, "the body needs `model` and `messages`", "invalid_request")
    if body.get("stream"):
        return error(400, "this server answers whole, not in a stream", "stream_unsupported")
    return body


def _content(message: object) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "overproof"}
