"""Append every call of the OpenAI, Anthropic and google-genai SDKs to a file, streamed or not.

Run ``OPENAI_API_KEY=… python clients.py calls.jsonl`` after ``pip install 'stream-reducer[openai,anthropic,gemini]'``;
``ANTHROPIC_API_KEY`` and ``GEMINI_API_KEY`` work the same way. Each SDK that has a key is asked once.
"""

import os
import sys

import httpx2

from reducer.embed import write_jsonl
from reducer.embed.httpx import wrap

QUESTION = "Say hello in one word."


def ask_openai(client: httpx2.Client) -> str:
    from openai import OpenAI

    stream = OpenAI(http_client=client).chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def ask_anthropic(client: httpx2.Client) -> str:
    from anthropic import Anthropic

    message = Anthropic(http_client=client).messages.create(
        model="claude-haiku-4-5", max_tokens=20, messages=[{"role": "user", "content": QUESTION}]
    )
    return "".join(block.text for block in message.content if block.type == "text")


def ask_gemini(client: httpx2.Client) -> str:
    from google.genai import Client, types

    options = types.HttpOptions(httpx_client=client, base_url=os.environ.get("GEMINI_BASE_URL"))
    stream = Client(http_options=options).models.generate_content_stream(model="gemini-2.5-flash", contents=QUESTION)
    return "".join(chunk.text or "" for chunk in stream)


ASK = {"OPENAI_API_KEY": ask_openai, "ANTHROPIC_API_KEY": ask_anthropic, "GEMINI_API_KEY": ask_gemini}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: clients.py FILE")
    transport = wrap(httpx2.HTTPTransport(), write_jsonl(sys.argv[1]), keep_body=1_000_000)
    with httpx2.Client(transport=transport, timeout=600) as client:
        for key, ask in ASK.items():
            if key in os.environ:
                print(f"{ask.__name__}: {ask(client)}")
