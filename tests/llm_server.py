"""A server on loopback that speaks OpenAI's chat completions and does exactly what a test tells it to."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any


class Reply:
    """What a script answers one request with."""

    def __init__(self, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        self._writer = writer
        self.gone = gone
        """Set once the client has closed the connection."""

    async def head(self, status: int = 200, content_type: str = "text/event-stream", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def event(self, data: object) -> None:
        await self.raw(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode())

    async def text(self, text: str, finish: str | None = None) -> None:
        await self.event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})

    async def done(self) -> None:
        await self.text("", "stop")
        await self.event("[DONE]")


Script = Callable[[Reply], Awaitable[None]]


def says(*pieces: str) -> Script:
    """Return a script that streams these pieces and ends as it should."""

    async def script(reply: Reply) -> None:
        await reply.head()
        for piece in pieces:
            await reply.text(piece)
        await reply.done()

    return script


def refuses(status: int, body: object = None, **headers: str) -> Script:
    """Return a script that answers with an HTTP error."""

    async def script(reply: Reply) -> None:
        await reply.head(status, "application/json", **headers)
        await reply.raw(json.dumps(body or {}).encode())

    return script


class ScriptedServer:
    """Answers the first request by the first script, and so on; the last script answers all that follow."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.requests: list[dict[str, Any]] = []
        """Body of each request, with its `path` and `headers` (lower case)."""
        self.left = threading.Event()
        """Set when a client closed the connection before the script was through."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()

        async def start() -> None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

        asyncio.run_coroutine_threadsafe(start(), self._loop).result()
        assert self._server is not None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def stop() -> None:
            assert self._server is not None
            self._server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.requests.append({**body, "path": head[0].split()[1], "headers": headers})
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            gone = asyncio.Event()

            async def watch() -> None:
                while await reader.read(1024):
                    pass
                gone.set()

            watching = asyncio.ensure_future(watch())
            try:
                await script(Reply(writer, gone))
                if gone.is_set():
                    self.left.set()
            finally:
                watching.cancel()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()
