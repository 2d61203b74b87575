"""What people use today, run on the same streams: where it differs from us, one of its written defects says why.

The peers run in environments of their own, which ``python -m tests.peers.environments`` makes. They get payloads,
so that only the accumulation is compared, each in the form that its final object can say (`tests.peers.forms`).
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
        reason="the peers' environments are not made: python -m tests.peers.environments",
    ),
]
needs_corpus = pytest.mark.skipif(
    "REDUCER_CORPUS" not in os.environ, reason="REDUCER_CORPUS names no folder of recorded streams"
)


def changed(value):
    """Yield a value once for each text in it, that text changed."""
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
    """What every peer makes of every sample."""
    return compare.run(compare.from_samples())


def test_every_defect_has_a_rule_and_every_rule_a_defect():
    """The list of defects and the rules that know them are the same list."""
    rules = {f"{peer}/{name}" for peer, names in RULES.items() for name in names}

    assert [key for key, count in Counter(defect.key for defect in DEFECTS).items() if count > 1] == []
    assert rules == KEYS


def test_every_defect_names_a_row_of_the_quirks_or_says_why_not():
    """A defect without a row has a reason, one with a row has none."""
    for defect in DEFECTS:
        assert re.fullmatch(r"[TCRSEAG]\d+|-", defect.quirk), defect.key
        assert (defect.quirk == "-") == (defect.reason is not None), defect.key


def test_every_defect_is_of_the_version_that_is_pinned():
    """A new version of a peer is looked at anew."""
    peers = {peer.name: peer for peer in compare.PEERS}

    for defect in DEFECTS:
        assert defect.version == peers[defect.peer].version(defect.dialect), defect.key


def test_every_pin_is_exact():
    """Nothing in an environment is left to the day on which it is made."""
    for environment in environments().values():
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in environment.packages), environment.name


def test_every_peer_has_a_form_for_each_of_its_dialects():
    """What is compared is written down for each pair of peer and dialect."""
    assert {(peer.name, dialect) for peer in compare.PEERS for dialect in peer.packages} == set(FORMS)


class TestPeers:
    """The peers, for real."""

    pytestmark = needs_peers

    def test_every_difference_on_the_samples_is_a_written_defect(self, samples):
        """Where a peer differs from us on a sample, one of its defects says why."""
        _, unexplained = shown(samples)

        assert unexplained == []

    def test_every_written_defect_still_shows_where_it_is_listed(self, samples):
        """A defect is listed with the samples that show it; one that no longer does is off the list."""
        found, _ = shown(samples)

        gone = {defect.key: sorted(set(defect.samples) - found.get(defect.key, set())) for defect in DEFECTS}
        assert {key: names for key, names in gone.items() if names} == {}
        assert [defect.key for defect in DEFECTS if not defect.samples] == []

    def test_no_mistake_of_ours_passes_for_a_defect_of_theirs(self, samples):
        """Where a peer agrees with us, no rule knows a defect behind a text that is then changed on our side."""
        passed = []
        for outcome in samples:
            for ours in changed(outcome.ours) if outcome.verdict == "right" else ():
                mistaken = outcome._replace(ours=ours, differences=list(compare.differences(ours, outcome.theirs)))
                passed += [f"{outcome.stream.name}: {key}" for key, _ in explained(mistaken) if key is not None]

        assert passed == []

    @needs_corpus
    def test_every_difference_on_recorded_streams_is_a_written_defect(self):
        """Where a peer differs from us on a recorded stream, one of its defects says why."""
        outcomes = compare.run(compare.from_corpus(Path(os.environ["REDUCER_CORPUS"])))

        _, unexplained = shown(outcomes)
        assert {outcome.peer for outcome in outcomes} == {peer.name for peer in compare.PEERS}
        assert unexplained == []
