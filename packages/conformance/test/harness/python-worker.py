"""A worker on the official SDK. A test sends commands as JSON lines on stdin. Answers and events go to stdout.

language-worker.ts sends the commands, which rust-worker/src/main.rs has too. The worker runs on iii-sdk 0.11, 0.22 and 0.25.
"""

import json
import os
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# 0.25 marks triggers and stream providers as deprecated. This worker exists to run them.
warnings.simplefilter("ignore", DeprecationWarning)

from iii import InitOptions, IStream, TriggerAction, register_worker
from iii.stream import StreamDeleteResult, StreamSetResult
from iii.triggers import TriggerHandler

_output = threading.Lock()


def say(line: dict[str, Any]) -> None:
    with _output:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def report(name: str, data: Any, metadata: Any = None) -> None:
    say({"seen": name, "data": data, "metadata": metadata})


class Backend(IStream):
    """Keeps items in memory, in the order of creation. It reports every operation as `backend`."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Any] = {}

    async def get(self, input: Any) -> Any:
        report("backend", "get")
        return self.items.get(_key(input))

    async def set(self, input: Any) -> Any:
        report("backend", "set")
        data = _field(input, "data")
        old = self.items.get(_key(input))
        self.items[_key(input)] = data
        return StreamSetResult(old_value=old, new_value=data)

    async def delete(self, input: Any) -> Any:
        report("backend", "delete")
        return StreamDeleteResult(old_value=self.items.pop(_key(input), None))

    async def list(self, input: Any) -> Any:
        report("backend", "list")
        return [value for (group, _), value in self.items.items() if group == _field(input, "group_id")]

    async def list_groups(self, input: Any) -> Any:
        report("backend", "list_groups")
        return sorted({group for group, _ in self.items})

    async def update(self, input: Any) -> Any:
        raise RuntimeError("the SDK never calls this")


def _field(input: Any, name: str) -> Any:
    """Returns the input as a dictionary. Some versions of the SDK give a dictionary, others an object."""
    return input[name] if isinstance(input, dict) else getattr(input, name)


def _key(input: Any) -> tuple[str, str]:
    return _field(input, "group_id"), _field(input, "item_id")


class Provider(TriggerHandler):
    async def register_trigger(self, config: Any) -> None:
        report("bound", _binding(config))

    async def unregister_trigger(self, config: Any) -> None:
        report("unbound", _binding(config))


def _binding(config: Any) -> dict[str, Any]:
    return {name: _field(config, name) for name in ("id", "function_id", "config")}


def handler(name: str, kind: str) -> Any:
    """Returns a function of a test by its name."""

    async def run(data: Any, metadata: Any = None) -> Any:
        if kind == "echo":
            return {"got": data, "metadata": metadata}
        if kind == "fail":
            raise RuntimeError("boom")
        if kind == "refuse":
            return {"unauthorized": True}
        if kind == "record":
            report(name, data, metadata)
        return None

    async def run_without_metadata(data: Any) -> Any:
        return await run(data)

    # 0.11 has no metadata.
    return run_without_metadata if os.environ["SDK_VERSION"].startswith("0.11") else run


class Worker:
    def __init__(self, address: str, name: str) -> None:
        # 0.11 and 0.22 send telemetry to port 49134 of this machine unless they have an address for it. 0.25 uses the address of the worker.
        telemetry = {"engine_ws_url": address, "metrics_export_interval_ms": 200} if "TELEMETRY" in os.environ else None
        self.iii = register_worker(address, InitOptions(worker_name=name, otel=telemetry))
        self.functions: dict[str, Any] = {}
        self.triggers: dict[str, Any] = {}

    def trigger(self, command: dict[str, Any]) -> Any:
        request = {"function_id": command["id"]}
        # Without the key the SDK sends no `data`. A test checks this case.
        for key in ("payload", "timeout_ms", "metadata"):
            if key in command:
                request[key] = command[key]
        if command["do"] == "void":
            request["action"] = TriggerAction.Void()
        return self.iii.trigger(request)

    def serve(self, command: dict[str, Any]) -> None:
        name = command["id"]
        more: dict[str, Any] = {}
        if os.environ["SDK_VERSION"].startswith("0.25"):
            # A call of this worker to itself must go over the wire. Otherwise the test would not test the engine.
            more["local_dispatch"] = False
        self.functions[name] = self.iii.register_function(name, handler(name, command["as"]), **more)

    def unserve(self, command: dict[str, Any]) -> None:
        self.functions.pop(command["id"]).unregister()

    def bind(self, command: dict[str, Any]) -> None:
        trigger = {"type": command["type"], "function_id": command["id"], "config": command.get("config"), "metadata": command.get("metadata")}
        self.triggers[command["handle"]] = self.iii.register_trigger({k: v for k, v in trigger.items() if v is not None})

    def unbind(self, command: dict[str, Any]) -> None:
        self.triggers.pop(command["handle"]).unregister()

    def provide(self, command: dict[str, Any]) -> None:
        self.iii.register_trigger_type({"id": command["type"], "description": "of a test"}, Provider())

    def create_stream(self, command: dict[str, Any]) -> None:
        if hasattr(self.iii, "create_stream"):
            self.iii.create_stream(command["name"], Backend())
        else:
            from iii.helpers import create_stream

            create_stream(self.iii, command["name"], Backend())

    def observe(self, command: dict[str, Any]) -> str:
        handle = self.iii.observe({"function_id": command["source"]}, command["target"])
        decided = threading.Event()
        handle.on_state_change(lambda *_: decided.set())
        if handle.state == "pending":
            decided.wait(5)
        return f"{handle.state} {(handle.reason or {}).get('code')}"

    def state(self, _command: dict[str, Any]) -> str:
        return self.iii.get_connection_state()

    def carry_out(self, command: dict[str, Any]) -> None:
        try:
            do = command["do"]
            result = self.trigger(command) if do in ("call", "void") else getattr(self, do)(command)
            say({"n": command["n"], "result": result})
        except Exception as error:  # Whatever the SDK raises is what the test asks about.
            code = getattr(error, "code", None) or ("TIMEOUT" if "timeout" in type(error).__name__.lower() else "local")
            say({"n": command["n"], "error": {"code": code, "message": str(error)}})


def main() -> None:
    worker = Worker(sys.argv[1], sys.argv[2])
    say({"ready": True})
    # Calls run in parallel. Registrations and void calls keep the order of their lines.
    with ThreadPoolExecutor(max_workers=16) as calls:
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "call":
                calls.submit(worker.carry_out, command)
            else:
                worker.carry_out(command)
    worker.iii.shutdown()


main()
