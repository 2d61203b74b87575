"""Ask a model, print the bytes of its answer as they come, and append the exchange to a file.

Run ``OPENAI_API_KEY=… python follow.py "Why is the sky blue?" calls.jsonl``. Needs httpx2. Stop it with Ctrl+C at any
time: the file then has what had come.
"""

import asyncio
import os
import sys

import httpx2

from reducer.embed import Request, atee, write_jsonl

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"


async def follow(question: str, path: str) -> None:
    """Print one answer."""
    body = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": question}]}
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    async with (
        httpx2.AsyncClient(timeout=600) as client,
        client.stream("POST", URL, json=body, headers=headers) as response,
        atee(
            response.aiter_raw(),
            write_jsonl(path),
            request=Request("POST", URL, "gpt-4o-mini", True),
            status_code=response.status_code,
            headers=response.headers.multi_items(),  # the copy is decoded as they say
        ) as pieces,
    ):
        async for data in pieces:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: follow.py QUESTION FILE")
    asyncio.run(follow(*sys.argv[1:]))
