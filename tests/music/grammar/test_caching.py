"""Methods that remember what they returned."""

from charrnn.music.grammar import caching
from charrnn.music.grammar.caching import cached_method


class Doubler:
    """Counts how often it computes."""

    def __init__(self):
        self.computed = []

    @cached_method
    def double(self, number):
        """Return twice the number."""
        self.computed.append(number)
        return 2 * number


def test_a_value_is_computed_once():
    doubler = Doubler()
    assert [doubler.double(n) for n in (1, 2, 1, 2)] == [2, 4, 2, 4]
    assert doubler.computed == [1, 2]


def test_each_instance_has_a_cache_of_its_own():
    one, other = Doubler(), Doubler()
    one.double(1)
    other.double(1)
    assert one.computed == other.computed == [1]


def test_the_oldest_results_are_forgotten(monkeypatch):
    monkeypatch.setattr(caching, "RESULTS", 2)
    doubler = Doubler()
    for n in (1, 2, 3, 1):
        doubler.double(n)
    assert doubler.computed == [1, 2, 3, 1]
