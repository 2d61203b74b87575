"""What a host needs around a `Reducer`: first of all the bytes as they were before compression."""

from reducer.embed.content import Decoder, decoded

__all__ = ["Decoder", "decoded"]
