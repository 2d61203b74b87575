"""The types of an `openai.completions` body. The body is a `Completion`."""

from reducer.dialects.completion import Usage
from reducer.dialects.openai_completions import Completion, CompletionChoice, Logprobs

__all__ = ["Completion", "CompletionChoice", "Logprobs", "Usage"]
