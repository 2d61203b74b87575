"""Streams for the tests of the batch path (`tests.test_batches`), and the check that both paths agree on them.

`events` has single events as servers send them, and events that interrupt a row of those. `sequences` has lists of
payloads in which neighbours differ. `repeating` builds long streams from both, and compares the results of both paths.
"""
