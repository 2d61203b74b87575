"""Seeded text in fragments, as models stream it: a token a delta, some with escapes, some that are not ASCII."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

Words = Callable[[Random, int], list[str]]

_TEXT = """
    the of and to in is that for it as with on by this from at are not be an or which you can all will has have more
    when their other one about stream event model token answer value result system provider response example message
    request number reading between without another because however usually different important following information
"""
_COMMON = _TEXT.split()
_MARKS = [".", ",", ":", ")", " (", "-", "'s", " **", "**"]
_PLAIN = [f" {word}" for word in _COMMON] + [word[-4:] for word in _COMMON[30:]] + _MARKS
_ESCAPED = ["\n", "\n\n", ' "', '"', '",', "\\", "\t", "\n    "]
_FOREIGN = [" naïve", " —", "é", "ñ", " 日本", "語", " Ω", "ß", " “", "”"]
_EMOJI = ["🙂", "🚀", "🌊", "👍🏽", "🧪", "📦"]


def _weighted(*kinds: tuple[list[str], float]) -> tuple[list[str], list[float]]:
    """Return all fragments with their weights; a kind's weight is shared by its fragments."""
    pairs = [(piece, weight / len(kind)) for kind, weight in kinds for piece in kind]
    return [piece for piece, _ in pairs], [weight for _, weight in pairs]


_MIXED = _weighted((_PLAIN, 0.92), (_ESCAPED, 0.05), (_FOREIGN, 0.03))
_HALF_EMOJI = _weighted((_PLAIN, 0.5), (_EMOJI, 0.5))


def mixed(rng: Random, count: int) -> list[str]:
    """Return mostly English: one fragment in twenty has an escape, one in thirty is not ASCII."""
    return rng.choices(*_MIXED, k=count)


def plain(rng: Random, count: int) -> list[str]:
    """Return ASCII without escapes."""
    return rng.choices(_PLAIN, k=count)


def emoji(rng: Random, count: int) -> list[str]:
    """Return fragments of which every other one is an emoji."""
    return rng.choices(*_HALF_EMOJI, k=count)


def arguments(rng: Random, size: int) -> str:
    """Return a JSON object of about ``size`` characters, as a model writes arguments."""
    pairs = []
    length = 2
    while length < size:
        text = "".join(plain(rng, 6)).strip()
        value = f'"{text}"' if rng.random() < 0.7 else str(rng.randrange(10_000))
        pairs.append(f'"{rng.choice(_COMMON)}_{len(pairs)}": {value}')
        length += len(pairs[-1]) + 2
    return "{" + ", ".join(pairs) + "}"


def pieces(rng: Random, text: str, least: int, most: int) -> Iterator[str]:
    """Cut a text into pieces of random lengths."""
    at = 0
    while at < len(text):
        end = at + rng.randint(least, most)
        yield text[at:end]
        at = end


def padding(rng: Random) -> str:
    """Return what OpenAI calls obfuscation: 1 to 16 random letters and digits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(rng.choices(alphabet, k=rng.randint(1, 16)))
