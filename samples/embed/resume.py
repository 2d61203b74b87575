"""A resumed stream: if the connection drops, save the state, and continue in another process.

Run ``python resume.py STATE_FILE PROMPT`` with your key in OPENAI_API_KEY. The exit status 75 means that the response
has not ended: run the same command again. The request uses ``background``, so the server continues without a client.
"""

import http.client
import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

import reducer

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/responses"
# The server's number of an event. No text of the model matches, because JSON escapes the quotes in a string.
NUMBER = re.compile(rb'"sequence_number": ?(\d+)')
TRY_AGAIN = 75  # EX_TEMPFAIL in sysexits.h


def open_stream(prompt: str, response_id: str | None, last: int) -> http.client.HTTPResponse:
    """Send the request, or ask for the events of the same response after the number ``last``."""
    headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
    if response_id is None:
        body = {"model": "gpt-5-mini", "input": prompt, "stream": True, "background": True}
        request = urllib.request.Request(URL, json.dumps(body).encode(), headers)
    else:
        request = urllib.request.Request(f"{URL}/{response_id}?stream=true&starting_after={last}", headers=headers)
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=60)
    return response


def main(state_file: Path, prompt: str) -> int:
    """Begin or continue the response, and print its text if it has ended."""
    r, response_id, last = reducer.Reducer("openai.responses"), None, -1
    if state_file.exists():
        header, state = state_file.read_bytes().split(b"\n", 1)
        response_id, last = json.loads(header)
        r = reducer.Reducer.resume(state)
    try:
        with open_stream(prompt, response_id, last) as upstream:
            number = last
            for line in upstream:
                r.feed(line)
                if found := NUMBER.search(line):
                    number = int(found[1])
                elif not line.strip():  # an event is whole after its blank line
                    last = number
    except urllib.error.HTTPError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    except (http.client.HTTPException, OSError) as error:
        print(f"no connection: {error!r}", file=sys.stderr)
    body = r.snapshot().body
    if body is not None and not r.ended and r.snapshot().error is None:
        state_file.write_bytes(json.dumps([body.id, last]).encode() + b"\n" + r.save())
        return TRY_AGAIN
    state_file.unlink(missing_ok=True)
    result = r.close()
    if view := result.view():
        print(view.text)
    if result.error is not None:
        print(result.error.message, file=sys.stderr)
    return int(result.status != "complete")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
