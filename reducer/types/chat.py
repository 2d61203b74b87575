"""The types of an `openai.chat` body. The body is a `ChatCompletion`."""

from reducer.dialects.completion import Usage
from reducer.dialects.openai_chat.body import (
    Audio,
    ChatCompletion,
    Choice,
    Custom,
    Function,
    Logprobs,
    Message,
    ToolCall,
)

__all__ = ["Audio", "ChatCompletion", "Choice", "Custom", "Function", "Logprobs", "Message", "ToolCall", "Usage"]
