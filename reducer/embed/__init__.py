"""Helpers for hosts that embed a `Reducer`, such as proxies: decompress the bytes of a body."""

from reducer.embed.content import Decoder, decoded

__all__ = ["Decoder", "decoded"]
