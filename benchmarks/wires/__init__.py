"""Makers: whole streams in the forms of real providers, by dialect, from a seed.

A maker takes a source of randomness, the number of deltas and the words, and returns the bytes of a stream (see
`benchmarks.streams`). Each event has its keys in the provider's order and is encoded compactly.
"""
