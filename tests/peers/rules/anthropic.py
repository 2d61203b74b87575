"""What anthropic's accumulators do, the beta's too."""

from __future__ import annotations

import re

from tests.peers.compare import Difference, Outcome
from tests.peers.rules.payloads import has_block_gap
from tests.peers.rules.registry import differs, raises

_BOTH = "anthropic/anthropic.messages", "anthropic-beta/anthropic.messages"


@differs(*_BOTH, path=r"content\[(\d+)\]\.input(\..*)?", name="input-cut")
def _input_cut(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(problem.code == "input_not_json" for problem in outcome.stream.result.problems)


@differs(*_BOTH, path=r"content\[\d+\]\.input", name="input-absent")
def _input_absent(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours == {} and difference.theirs in (None, "")


@raises(*_BOTH, text="^IndexError", name="block-index-gap")
def _block_index_gap(outcome: Outcome) -> bool:
    return has_block_gap(outcome)


@raises(*_BOTH, text="^ValueError: Unable to parse tool parameter JSON", name="input-invalid")
def _input_invalid(outcome: Outcome) -> bool:
    return any(problem.code == "input_not_json" for problem in outcome.stream.result.problems)


@raises(*_BOTH, text="has no attribute '(output_tokens|input_tokens)'", name="usage-absent")
def _usage_absent(outcome: Outcome) -> bool:
    return any(
        not event.get("usage") and not (event.get("message") or {}).get("usage")
        for event in outcome.stream.payloads
        if event.get("type") in ("message_start", "message_delta")
    )


@raises(*_BOTH, text="^RuntimeError: Unexpected event order", name="message-start-absent")
def _message_start_absent(outcome: Outcome) -> bool:
    return (
        next(event.get("type") for event in outcome.stream.payloads if event.get("type") != "ping") != "message_start"
    )


@raises(*_BOTH, text="surrogates not allowed", name="surrogate-raises")
def _surrogate(outcome: Outcome) -> bool:
    return True


@differs(
    "anthropic-beta/anthropic.messages",
    path=r"content\[(\d+)\]\.(content|encrypted_content)",
    name="compaction-of-last-delta",
)
def _compaction(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    last = [
        event["delta"]
        for event in outcome.stream.payloads
        if (event.get("delta") or {}).get("type") == "compaction_delta"
    ]
    return len(last) > 1 and difference.theirs == last[-1].get(at[2])


@differs(*_BOTH, path=r"content\[(\d+)\]\.\w+", name="unknown-delta-lost")
def _unknown_delta(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    known = (
        "text_delta",
        "input_json_delta",
        "citations_delta",
        "thinking_delta",
        "signature_delta",
        "compaction_delta",
    )
    return any(
        (event.get("delta") or {}).get("type", "text_delta") not in known
        for event in outcome.stream.payloads
        if event.get("type") == "content_block_delta"
    )


@differs("anthropic/anthropic.messages", path=r"context_management(\..*)?|usage\.iterations(\[.*)?", name="beta-fields")
def _beta_fields(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None


@differs(
    "anthropic/anthropic.messages",
    path=r"content\[(\d+)\]\.(content|encrypted_content|input)(\..*)?",
    name="beta-blocks",
)
def _beta_blocks(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and outcome.stream.body["content"][int(at[1])]["type"] not in (
        "text",
        "thinking",
        "tool_use",
        "server_tool_use",
    )
