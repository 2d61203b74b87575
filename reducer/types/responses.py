"""The types of an `openai.responses` body. The body is a `Response`."""

from reducer.dialects.openai_responses.body import Item, Part, Response, Usage

__all__ = ["Item", "Part", "Response", "Usage"]
