"""A tune: the order of its bars, how it sounds, whether its bars add up."""

from fractions import Fraction

import pytest

from charrnn.errors import ConfigError
from charrnn.music.tune import MODES, Bar, Key, Note, Tune, parse_meter


def bar(length=4, pitch=60, **says):
    """A bar of one note with a duration in quarters."""
    return Bar((Note(pitch, Fraction(length, 4)),), **says)


def order(*bars):
    return list(Tune(bars).played())


def test_a_section_that_repeats_is_played_twice():
    assert order(bar(opens=True), bar(repeats=True), bar()) == [0, 1, 0, 1, 2]


def test_endings_are_played_in_turn():
    bars = bar(opens=True), bar(ending=1, repeats=True), bar(ending=2), bar(closes=True), bar()
    assert order(*bars) == [0, 1, 0, 2, 3, 4]


def test_the_section_after_two_endings_repeats_alone():
    bars = (
        bar(opens=True),
        bar(ending=1, repeats=True),
        bar(ending=2),
        bar(opens=True, repeats=True),
    )
    assert order(*bars) == [0, 1, 0, 2, 3, 3]


def test_a_double_bar_line_within_a_repeat_changes_nothing():
    assert order(bar(opens=True, closes=True), bar(repeats=True)) == [0, 1, 0, 1]


def test_without_an_opening_a_repeat_goes_back_to_the_last_one():
    assert order(bar(), bar(repeats=True), bar(repeats=True)) == [0, 1, 0, 1, 2, 2]


def test_ties_join_notes_also_into_a_repeat():
    tied = Note(60, Fraction(1), tied=True)
    events = Tune((Bar((tied,), opens=True, repeats=True), bar())).events()
    assert [(event.start, event.duration) for event in events] == [(0, 3)]


def test_a_tie_to_another_pitch_joins_nothing():
    events = Tune((Bar((Note(60, Fraction(1), tied=True),)), bar(pitch=62))).events()
    assert [event.pitch for event in events] == [60, 62]


def test_events_know_the_bar_they_begin_in():
    events = Tune((bar(opens=True), bar(repeats=True))).events()
    assert [event.bar for event in events] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("bars", "irregular"),
    [
        ([bar(), bar(), bar()], []),
        ([bar(), bar(3), bar()], [1]),
        ([bar(), bar(5), bar()], [1]),
        ([bar(1), bar(), bar(3)], []),
        ([bar(5), bar()], [0]),
        ([bar(), bar(5)], [1]),
        ([bar(1, opens=True), bar(), bar(3, repeats=True)], []),
        ([bar(1, opens=True), bar(), bar(2, repeats=True)], [0, 2]),
        ([bar(1), bar(opens=True), bar(4, repeats=True), bar(2)], []),
        ([bar(4), bar(3, closes=True), bar(1), bar()], []),
        ([bar(4), bar(3, closes=True), bar(2), bar()], [1, 2]),
        ([bar(opens=True), bar(3, repeats=True)], [0, 1]),
        ([bar(), bar(3, meter=(3, 4)), bar(3), bar()], [3]),
    ],
)
def test_bars_must_add_up(bars, irregular):
    assert Tune(tuple(bars)).irregular_bars() == irregular


@pytest.mark.parametrize(
    ("bars", "numbers"),
    [
        ([bar(), bar(), bar()], [1, 2, 3]),
        ([bar(1), bar(), bar(3)], [0, 1, 2]),
        ([bar(1, opens=True), bar(), bar(3, repeats=True), bar(1), bar()], [0, 1, 2, 2, 3]),
        ([bar(), bar(3, closes=True), bar(1), bar()], [1, 2, 2, 3]),
        ([bar(), bar(3), bar(1), bar()], [1, 2, 3, 4]),
        ([bar(opens=True), bar(2, ending=1, repeats=True), bar(2, ending=2)], [1, 2, 3]),
        ([bar(), bar(3, closes=True), bar(3), bar()], [1, 2, 3, 4]),
        ([bar(3)], [1]),
    ],
)
def test_bars_are_numbered_as_in_printed_music(bars, numbers):
    assert Tune(tuple(bars)).numbers() == numbers


def test_a_free_tune_has_no_irregular_bars():
    assert Tune((bar(1), bar(7), bar(2)), meter=None).irregular_bars() == []


def test_transpositions_have_the_same_fingerprint_and_other_tunes_another():
    tune = Tune((bar(1), bar(2, 64), Bar((Note(None, Fraction(1, 4)),))), title="One")
    twin = Tune(tune.transposed(3).bars, Key("Eb"), title="Two")
    assert tune.fingerprint() == twin.fingerprint()
    assert tune.fingerprint() != Tune((bar(1), bar(2, 65), tune.bars[2])).fingerprint()
    assert tune.fingerprint() != Tune((bar(2), bar(2, 64), tune.bars[2])).fingerprint()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("semitones", range(-6, 6))
def test_a_transposed_tune_has_the_transposed_scale(mode, semitones):
    key = Key("D", mode)
    moved = key.transposed(semitones)
    assert moved.scale() == {(pitch + semitones) % 12 for pitch in key.scale()}
    assert abs(moved.sharps) <= 6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tonic", ["C", "F#", "Bb", "E"])
def test_notes_of_the_scale_are_spelled_as_in_the_signature(tonic, mode):
    try:
        key = Key(tonic, mode)
    except ConfigError:
        pytest.skip("no such key")
    for pitch in range(128):
        letter, alteration, octave = key.spelling(pitch)
        natural = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[letter]
        assert 60 + 12 * octave + natural + alteration == pitch
        assert (alteration == key.signature()[letter]) == (pitch % 12 in key.scale())


@pytest.mark.parametrize(
    "wrong", [("H", "maj"), ("", "maj"), ("C##", "maj"), ("C", "major"), ("G#", "maj")]
)
def test_invalid_keys_are_errors(wrong):
    with pytest.raises(ConfigError):
        Key(*wrong)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("C", Key()), ("Dmaj", Key("D")), ("Em", Key("E", "min")), ("f# Minor", Key("F#", "min")),
        ("Bb", Key("Bb")), ("bmin", Key("B", "min")), ("A dorian", Key("A", "dor")),
    ],
)  # fmt: skip
def test_keys_are_read_as_people_write_them(text, key):
    assert Key.parse(text) == key


def test_a_key_is_read_as_it_is_written():
    for mode in MODES:
        key = Key("Eb").transposed(3) if mode == "maj" else Key("E", mode)
        assert Key.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "H", "C##", "Gx", "G#"])
def test_text_that_is_not_a_key_is_an_error(text):
    with pytest.raises(ConfigError):
        Key.parse(text)


def test_meters_are_two_whole_numbers_or_the_signs_of_4_4_and_2_2():
    assert [parse_meter(text) for text in ("12/8", "C", "C|")] == [(12, 8), (4, 4), (2, 2)]
    for text in ("", "4", "c", "C||", "6/", "-6/8", "6-8", "6/8/8", "100/1000"):
        with pytest.raises(ConfigError, match="must be two whole numbers such as 6/8"):
            parse_meter(text)
