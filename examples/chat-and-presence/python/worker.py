"""The chat on the official SDK for Python: runs with iii-sdk 0.11, 0.22 and 0.25."""

import os
import time
import uuid
from typing import Any

from iii import InitOptions, IStream, register_worker
from iii.stream import StreamDeleteResult, StreamSetResult

MOST_TEXT = 2_000
MOST_NAME = 80

iii = register_worker(os.environ.get("III_URL", "ws://127.0.0.1:49134"), InitOptions(worker_name="chat-and-presence"))


class BadInput(Exception):
    """A mistake of the caller. Over HTTP it becomes a 400."""


async def call(function_id: str, payload: dict[str, Any]) -> Any:
    return await iii.trigger_async({"function_id": function_id, "payload": payload})


def name(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_NAME:
        raise BadInput(f"{what} must have 1 to {MOST_NAME} characters")
    return value


def item(stream: str, room: Any, item_id: str) -> dict[str, Any]:
    return {"stream_name": stream, "group_id": name(room, "room"), "item_id": item_id}


def now() -> int:
    return int(time.time() * 1000)


async def post(data: dict[str, Any]) -> Any:
    """Stores a message. All subscribers of /stream/chat/{room} get a `create` as soon as it is stored."""
    text = data.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= MOST_TEXT:
        raise BadInput(f"text must have 1 to {MOST_TEXT} characters")
    message = {"id": str(uuid.uuid4()), "author": name(data.get("author"), "author"), "text": text, "at": now()}
    await call("stream::set", {**item("chat", data.get("room"), message["id"]), "data": message})
    return message


async def get(data: dict[str, Any]) -> Any:
    return await call("stream::get", item("chat", data.get("room"), name(data.get("id"), "id")))


async def list_messages(data: dict[str, Any]) -> Any:
    return await call("stream::list", {"stream_name": "chat", "group_id": name(data.get("room"), "room")})


async def delete(data: dict[str, Any]) -> Any:
    result = await call("stream::delete", item("chat", data.get("room"), name(data.get("id"), "id")))
    return {"deleted": result["old_value"] is not None}


async def broadcast(data: dict[str, Any]) -> Any:
    """Sends an event to all subscribers. It is not stored. Use events for data that nobody needs a moment later."""
    room, kind = name(data.get("room"), "room"), name(data.get("type"), "type")
    await call("stream::send", {"stream_name": "chat", "group_id": room, "type": kind, "data": data.get("data")})
    return {"sent": True}


async def join(data: dict[str, Any]) -> Any:
    member = {"id": name(data.get("user"), "user"), "since": now()}
    await call("stream::set", {**item("presence", data.get("room"), member["id"]), "data": member})
    return member


async def leave(data: dict[str, Any]) -> Any:
    result = await call("stream::delete", item("presence", data.get("room"), name(data.get("user"), "user")))
    return {"left": result["old_value"] is not None}


async def members(data: dict[str, Any]) -> Any:
    return await call("stream::list", {"stream_name": "presence", "group_id": name(data.get("room"), "room")})


def field(input: Any, key: str) -> Any:
    """Returns the input as a dictionary. Some versions of the SDK give a dictionary, others an object."""
    return input[key] if isinstance(input, dict) else getattr(input, key)


class Presence(IStream):
    """The backend of the `presence` stream. It keeps the members in the state, one scope for each room.

    The engine calls it for every read and write of the stream, and publishes its answers to subscribers.
    """

    PREFIX = "presence/"

    def _place(self, input: Any) -> dict[str, Any]:
        return {"scope": self.PREFIX + field(input, "group_id"), "key": field(input, "item_id")}

    async def get(self, input: Any) -> Any:
        return await call("state::get", self._place(input))

    async def set(self, input: Any) -> Any:
        result = await call("state::set", {**self._place(input), "value": field(input, "data")})
        return StreamSetResult(**result)

    async def delete(self, input: Any) -> Any:
        return StreamDeleteResult(old_value=await call("state::delete", self._place(input)))

    async def list(self, input: Any) -> Any:
        return await call("state::list", {"scope": self.PREFIX + field(input, "group_id")})

    async def list_groups(self, input: Any) -> Any:
        groups = (await call("state::list_groups", {}))["groups"]
        return [group.removeprefix(self.PREFIX) for group in groups if group.startswith(self.PREFIX)]

    async def update(self, input: Any) -> Any:
        """The interface of the SDK needs this function, but nobody calls it. The engine uses the functions above."""
        raise NotImplementedError


def route(method: str, path: str, function_id: str, success: int = 200) -> None:
    """Serves a function over HTTP. Its input has the members of the body and the path. A result of None becomes a 404."""

    async def serve(request: dict[str, Any]) -> Any:
        body = request.get("body")
        try:
            result = await FUNCTIONS[function_id]({**(body if isinstance(body, dict) else {}), **request["path_params"]})
        except BadInput as error:
            return {"status_code": 400, "body": {"error": str(error)}}
        if result is None:
            return {"status_code": 404, "body": {"error": "not found"}}
        return {"status_code": success, "body": result}

    iii.register_function(f"http::{function_id}", serve)
    trigger = {"type": "http", "function_id": f"http::{function_id}", "config": {"api_path": path, "http_method": method}}
    iii.register_trigger(trigger)


FUNCTIONS = {
    "chat::post": post,
    "chat::get": get,
    "chat::list": list_messages,
    "chat::delete": delete,
    "chat::broadcast": broadcast,
    "presence::join": join,
    "presence::leave": leave,
    "presence::list": members,
}

for function_id, function in FUNCTIONS.items():
    iii.register_function(function_id, function)

route("POST", "/rooms/:room/messages", "chat::post", 201)
route("GET", "/rooms/:room/messages", "chat::list")
route("GET", "/rooms/:room/messages/:id", "chat::get")
route("DELETE", "/rooms/:room/messages/:id", "chat::delete")
route("POST", "/rooms/:room/events", "chat::broadcast")
route("PUT", "/rooms/:room/members/:user", "presence::join")
route("DELETE", "/rooms/:room/members/:user", "presence::leave")
route("GET", "/rooms/:room/members", "presence::list")

# Up to 0.17 this is a method of the worker. Since 0.18 it is a function.
if hasattr(iii, "create_stream"):
    iii.create_stream("presence", Presence())
else:
    from iii.helpers import create_stream

    create_stream(iii, "presence", Presence())

# The SDK runs on threads of its own and keeps the process alive.
