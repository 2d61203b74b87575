"""Makers: whole streams in the shapes of real providers, by dialect, from a seed.

A maker takes a source of randomness, the number of deltas and the words, and returns a template (see
`benchmarks.streams`). What it writes is a dict with its keys in the provider's order, encoded compactly.
"""
