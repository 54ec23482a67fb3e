"""Rhythm: the lengths, tuplets and bar lines that make a bar add up."""

import pytest

from charrnn.music.grammar.rhythm import TUPLETS, UNIT, Rhythm
from charrnn.music.grammar.words import REST, Alphabet, Length, Pitch, Tuplet, bitset, members

NOTE = Pitch(0, "c")
ALL = Alphabet("(/:0123456789-|]")


def after(rhythm, state, *meanings):
    for meaning in meanings:
        state = rhythm.advance(state, meaning)
    return state


def note(ticks, tied=False):
    return NOTE, Length(ticks, tied)


def offered(rhythm, state, tied=False):
    words, takes_pitches = rhythm.words(state, tied)
    return set(words.meanings), takes_pitches


def ending(line, *ticks):
    return ((line, bitset(ticks)),)


def test_a_bar_line_may_stand_only_when_the_bar_is_full():
    rhythm = Rhythm(Alphabet("24|"))
    state = rhythm.begin(ending("|", 16))
    assert offered(rhythm, state) == (set(), True)
    state = after(rhythm, state, *note(8))
    assert offered(rhythm, state) == (set(), True)
    assert state.done == 8
    state = after(rhythm, state, *note(8))
    assert offered(rhythm, state) == ({"|"}, False)


def test_each_line_has_times_of_its_own():
    rhythm = Rhythm(Alphabet("24|]"))
    state = rhythm.begin((("|", 1 << 8), ("|]", 1 << 8 | 1 << 16)))
    state = after(rhythm, state, *note(8))
    assert offered(rhythm, state) == ({"|", "|]"}, True)
    state = after(rhythm, state, *note(8))
    assert offered(rhythm, state) == ({"|]"}, False)


def test_a_note_does_not_last_longer_than_the_bar():
    rhythm = Rhythm(Alphabet("248"))
    state = after(rhythm, rhythm.begin(ending("|", 16)), NOTE)
    assert offered(rhythm, state) == ({"", "2", "4"}, False)


def test_a_note_leaves_time_that_other_notes_can_fill():
    rhythm = Rhythm(Alphabet("3"))  # notes of 1 and 3 units
    assert members(rhythm.fills)[:4] == [0, UNIT, 2 * UNIT, 3 * UNIT]
    state = after(rhythm, rhythm.begin(ending("|", 3 * UNIT)), NOTE)
    assert offered(rhythm, state)[0] == {"", "3"}
    state = after(rhythm, rhythm.begin(ending("|", 2 * UNIT + 2)), NOTE)
    assert offered(rhythm, state)[0] == set()


@pytest.mark.parametrize(("line", "ties"), [("|", {"4", "4-"}), ("|]", {"4"})])
def test_a_note_is_tied_into_the_next_bar_over_a_plain_line_only(line, ties):
    rhythm = Rhythm(Alphabet("4-|]"))
    state = after(rhythm, rhythm.begin(ending(line, 16)), NOTE)
    lengths, _ = offered(rhythm, state)
    assert {word for word in lengths if word[:1] == "4"} == ties
    assert "-" in lengths  # within the bar


def test_after_a_tied_note_only_a_plain_line_may_stand():
    rhythm = Rhythm(ALL)
    state = rhythm.begin((("|", 1 << 16), ("|]", 1 << 16)))
    state = after(rhythm, state, *note(16, tied=True))
    assert offered(rhythm, state, tied=True) == ({"|"}, False)
    assert offered(rhythm, state, tied=False) == ({"|", "|]"}, False)


def test_a_rest_is_not_tied():
    rhythm = Rhythm(ALL)
    state = after(rhythm, rhythm.begin(ending("|", 16)), REST)
    assert not any("-" in word for word in offered(rhythm, state)[0])


def test_a_tuplet_advances_the_bar_when_it_ends():
    rhythm = Rhythm(Alphabet("(34|"))
    state = after(rhythm, rhythm.begin(ending("|", 8)), Tuplet(3, 3))
    for ticks in (4, 4):
        state = after(rhythm, state, *note(ticks))
        assert state.done == 0
        assert offered(rhythm, state) == (set(), True)
    assert state.tuplet == Tuplet(3, 1, written=8)
    last = after(rhythm, state, NOTE)
    assert offered(rhythm, last)[0] == {""}  # 12 ticks in the time of 8
    state = after(rhythm, last, Length(4, tied=False))
    assert state.tuplet is None
    assert state.done == 12 * TUPLETS[3] // 3
    assert offered(rhythm, state) == ({"|"}, False)


def test_a_tuplet_opens_only_where_it_can_end_in_time():
    rhythm = Rhythm(Alphabet("(3:29"))  # notes of 1, 2, 3 and more units
    for ticks, expected in ((4, set()), (8, {"(3", "(3:2:2"})):
        words, _ = offered(rhythm, rhythm.begin(ending("|", ticks)))
        assert words == expected


def test_a_tuplet_is_as_short_as_it_can_be():
    """(3 with notes of 6 and 6 ticks lasts a whole number of ticks after two: that is (3:2:2."""
    rhythm = Rhythm(ALL)
    state = after(rhythm, rhythm.begin(ending("|", 32)), Tuplet(3, 3), *note(4), NOTE)
    words = rhythm.words(state, tied=False)[0].meanings.values()
    lengths = {length.ticks for length in words}
    assert lengths
    assert not any((4 + ticks) % 3 == 0 for ticks in lengths)


def test_equal_states_are_one_instance():
    rhythm = Rhythm(ALL)
    ways = [note(8), (*note(4), *note(4)), (REST, Length(8, tied=False))]
    states = {after(rhythm, rhythm.begin(ending("|", 16)), *way) for way in ways}
    assert len(states) == 1
