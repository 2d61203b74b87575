"""Other accumulators on the same streams: each difference from us must be one of their listed defects.

The peers run in environments of their own, which ``python -m tests.peers.environments`` builds. They get payloads, so
that framing is not compared. `tests.peers.forms` defines the compared part of each final object.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.peers import compare
from tests.peers.defects import load, shown
from tests.peers.environments import environments
from tests.peers.forms import FORMS
from tests.peers.rules import RULES, explained

DEFECTS = load()
KEYS = {defect.key for defect in DEFECTS}

needs_peers = [
    pytest.mark.peers,
    pytest.mark.skipif(
        bool(compare.missing()),
        reason="the peers' environments are not installed: python -m tests.peers.environments",
    ),
]
needs_corpus = pytest.mark.skipif(
    "REDUCER_CORPUS" not in os.environ, reason="REDUCER_CORPUS names no folder of recorded streams"
)


def changed(value):
    """Yield copies of a value; each has one text changed."""
    if isinstance(value, str) and value:
        yield value + "!"
    elif isinstance(value, dict):
        for key, entry in value.items():
            for other in changed(entry):
                yield {**value, key: other}
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            for other in changed(entry):
                yield [*value[:place], other, *value[place + 1 :]]


@pytest.fixture(scope="module")
def samples():
    """Return the outcome of every peer on every sample."""
    return compare.run(compare.from_samples())


def test_every_defect_has_a_rule_and_every_rule_a_defect():
    """`defects.json` and the rules have the same names."""
    rules = {f"{peer}/{name}" for peer, names in RULES.items() for name in names}

    assert [key for key, count in Counter(defect.key for defect in DEFECTS).items() if count > 1] == []
    assert rules == KEYS


def test_every_defect_names_a_quirk_or_a_reason():
    """A defect has either the id of a quirk, or a reason why it has none."""
    for defect in DEFECTS:
        assert re.fullmatch(r"[TCRSEAG]\d+|-", defect.quirk), defect.key
        assert (defect.quirk == "-") == (defect.reason is not None), defect.key


def test_every_defect_is_of_the_version_that_is_pinned():
    """A defect names the pinned version of its peer, so that a new version is reviewed."""
    peers = {peer.name: peer for peer in compare.PEERS}

    for defect in DEFECTS:
        assert defect.version == peers[defect.peer].version(defect.dialect), defect.key


def test_every_pin_is_exact():
    """Each environment names one version of every package."""
    for environment in environments().values():
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in environment.packages), environment.name


def test_every_peer_has_a_form_for_each_of_its_dialects():
    """There is a form for each pair of peer and dialect."""
    assert {(peer.name, dialect) for peer in compare.PEERS for dialect in peer.packages} == set(FORMS)


class TestPeers:
    """Tests that run the peers."""

    pytestmark = needs_peers

    def test_every_difference_on_samples_is_a_listed_defect(self, samples):
        """If a peer differs from us on a sample, a rule for one of its defects recognises the difference."""
        _, unexplained = shown(samples)

        assert unexplained == []

    def test_every_listed_defect_is_current(self, samples):
        """Each defect shows on all samples in its list."""
        found, _ = shown(samples)

        gone = {defect.key: sorted(set(defect.samples) - found.get(defect.key, set())) for defect in DEFECTS}
        assert {key: names for key, names in gone.items() if names} == {}
        assert [defect.key for defect in DEFECTS if not defect.samples] == []

    def test_mistakes_of_ours_are_not_taken_for_defects(self, samples):
        """If a peer agrees with us and one of our texts is then changed, no rule recognises that difference, except by
        coincidence.
        """
        passed = []
        for outcome in samples:
            for ours in changed(outcome.ours) if outcome.verdict == "right" else ():
                mistaken = outcome._replace(ours=ours, differences=list(compare.differences(ours, outcome.theirs)))
                passed += [f"{outcome.stream.name}: {key}" for key, _ in explained(mistaken) if key is not None]

        assert passed == []

    @needs_corpus
    def test_every_difference_on_recorded_streams_is_a_listed_defect(self):
        """If a peer differs from us on a recorded stream, a rule for one of its defects recognises the difference."""
        outcomes = compare.run(compare.from_corpus(Path(os.environ["REDUCER_CORPUS"])))

        _, unexplained = shown(outcomes)
        assert {outcome.peer for outcome in outcomes} == {peer.name for peer in compare.PEERS}
        assert unexplained == []
