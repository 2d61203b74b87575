"""An agent loop: run the tool calls of an answer, send their results back, and stop at the first other answer.

Run ``python agent.py "What time is it in Lima?"`` with your key in OPENAI_API_KEY.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import reducer
from reducer.types.chat import ChatCompletion

Request = dict[str, Any]


def run(
    ask: Callable[[Request], Iterable[bytes]],
    request: Request,
    tools: Mapping[str, Callable[..., object]],
    max_turns: int = 10,
) -> reducer.Result[ChatCompletion]:
    """Return the first answer that needs no tools, or that is not whole: check its ``status``.

    ``ask`` sends a request and returns the bytes of the stream.
    """
    messages = list(request["messages"])
    for _ in range(max_turns):
        result = reducer.reduce(ask({**request, "stream": True, "messages": messages}), "openai.chat")
        view, body = result.view(), result.to_dict()
        if result.status != "complete" or view is None or body is None or view.finish_reason != "tool_calls":
            return result
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": answer(call, tools)} for call in view.tool_calls
        ]
        messages = [*messages, body["choices"][0]["message"], *results]
    raise RuntimeError(f"the model still calls tools after {max_turns} answers")


def answer(call: reducer.ToolCallView, tools: Mapping[str, Callable[..., object]]) -> str:
    """Run a call if it is complete, and return the text for the model."""
    if not call.complete:
        return f"Error: not run, because the arguments are not whole: {call.unparsed}"
    tool = tools.get(call.name or "")
    if tool is None:
        return f"Error: there is no tool {call.name}"
    try:
        return json.dumps(tool(**call.arguments))
    except Exception as error:  # the model may correct its arguments
        return f"Error: {error}"


def post(request: Request) -> Iterator[bytes]:
    """Send a request, and yield the bytes of the stream."""
    url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(request).encode(), headers)) as response:
        yield from iter(response.read1, b"")


def get_time(zone: str) -> str:
    """Return the time in a time zone."""
    return datetime.now(ZoneInfo(zone)).isoformat(timespec="minutes")


if __name__ == "__main__":
    parameters = {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}
    function = {"name": "get_time", "description": get_time.__doc__, "parameters": parameters}
    first = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": " ".join(sys.argv[1:])}],
        "tools": [{"type": "function", "function": function}],
    }
    last = run(post, first, {"get_time": get_time})
    shown = last.view()
    print(shown.text if shown else last.error)
    sys.exit(last.status != "complete")
