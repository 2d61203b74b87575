"""The types of an `anthropic.messages` body. The body is a `Message`."""

from reducer.dialects.anthropic_messages.body import ContentBlock, Message, Usage

__all__ = ["ContentBlock", "Message", "Usage"]
