"""Nobody posts more to the page than a full pad: the rest is refused before it is read."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# 20,000 points of two numbers, each of up to seven characters, are 320 kB.
MAX_BODY_BYTES = 2_000_000
TOO_LARGE = PlainTextResponse("That is more than this page takes.", 413)


class BodyLimit:
    """ASGI middleware: 413 for a body that is announced as too large, or turns out to be."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > MAX_BODY_BYTES:
            await TOO_LARGE(scope, receive, send)
            return
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                return {"type": "http.disconnect"}
            return message

        await self.app(scope, receive_some, send)
