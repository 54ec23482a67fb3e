"""Tone: spelling, accidentals and ties."""

import pytest

from charrnn.music.grammar.tone import Tone
from charrnn.music.grammar.words import REST, Alphabet, Length, Pitch, Tuplet
from charrnn.music.tune import Key

ALL = Alphabet("_^=ABCDEFGabcdefg',z")
SHORT, TIED = Length(4, tied=False), Length(4, tied=True)


def played(key, *meanings, alphabet=ALL, first=False):
    """Return the tone machine, and its state after some words of a bar."""
    tone = Tone(alphabet)
    state = tone.begin(key, first=first)
    for meaning in meanings:
        state = tone.advance(state, meaning)
    return tone, state


def words(*arguments, **options):
    tone, state = played(*arguments, **options)
    return set(tone.words(state).meanings)


@pytest.mark.parametrize(
    ("key", "pitch", "word"),
    [
        ("C", Pitch(1, "f"), "^f"),
        ("G", Pitch(1, "f"), "f"),  # in the signature
        ("G", Pitch(0, "f"), "=f"),
        ("F", Pitch(-1, "B"), "B"),
        ("F#", Pitch(2, "c"), "^^c"),
    ],
)
def test_a_pitch_has_an_accidental_unless_it_is_in_the_signature(key, pitch, word):
    tone, state = played(Key(key))
    assert tone.words(state).meanings[word] == pitch


def test_an_accidental_is_in_force_until_the_end_of_the_bar():
    sharp = Pitch(1, "c")
    before, after = words(Key("C")), words(Key("C"), sharp, SHORT)
    assert (before - after, after - before) == ({"^c"}, {"=c"})
    tone, state = played(Key("C"), sharp, SHORT, Pitch(0, "c"), SHORT)
    assert state is tone.begin(Key("C"))


def test_an_accidental_is_in_force_in_its_octave_only():
    assert {"^C", "C", "^c'", "c'"} <= words(Key("C"), Pitch(1, "c"), SHORT)


def test_a_tied_note_continues_on_its_pitch():
    assert words(Key("C"), Pitch(1, "c"), TIED) == {"c"}
    tone, state = played(Key("C"), Pitch(1, "c"), TIED)
    next_bar = tone.begin(Key("C"), held=state.held)
    assert set(tone.words(next_bar).meanings) == {"^c"}  # accidentals end with the bar
    other_key = tone.begin(Key("D"), held=state.held)
    assert set(tone.words(other_key).meanings) == {"c"}


def test_after_a_note_that_is_not_tied_any_may_come():
    assert words(Key("C"), Pitch(0, "c"), SHORT) == words(Key("C"))


def test_a_tune_does_not_begin_with_a_rest():
    assert words(Key("C")) - words(Key("C"), first=True) == {"z"}
    assert "z" in words(Key("C"), Pitch(0, "c"), SHORT, first=True)


def test_rests_and_tuplets_change_nothing():
    assert words(Key("C"), Pitch(1, "c"), SHORT, REST, SHORT, Tuplet(3, 3)) == words(
        Key("C"), Pitch(1, "c"), SHORT
    )


def test_pitches_that_the_alphabet_or_the_range_lacks_may_not_come():
    assert words(Key("C"), alphabet=Alphabet("ce")) == {"c", "e"}
    tone = Tone(ALL, pitches=range(60, 63))
    assert set(tone.words(tone.begin(Key("C"))).meanings) == {"C", "^C", "D", "z"}


def test_a_tune_can_begin_in_a_key_of_which_a_note_can_be_written():
    only_c = Tone(Alphabet("cz"))
    assert only_c.can_begin(Key("C"))
    assert not Tone(Alphabet("z")).can_begin(Key("C"))
    assert not Tone(Alphabet("f"), pitches=range(77, 78)).can_begin(Key("G"))  # needs =f
