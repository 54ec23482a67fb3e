"""Transposition: the directly transposed text equals the text of the transposed tune."""

import pytest

from charrnn.errors import CorpusError
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from charrnn.music.midi_io import read_midi, write_midi
from charrnn.music.transpose import SEMITONES, in_all_keys, transposed_text
from tests.helpers import needs_data
from tests.music.abc_examples import ALL, CANONICAL, HEAD, corpus_tunes

KEYS = ["C", "F#", "Bb", "C#", "Cb", "Dm", "G#m", "Ador", "Emix", "Fphr", "Blyd", "Cloc"]


def by_reading(text, semitones):
    """The slow twin: read the tune, transpose it, write it."""
    return canonical(read_abc(text).tunes[0].transposed(semitones), title=True)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("semitones", SEMITONES)
def test_transposing_the_text_equals_transposing_the_tune(key, semitones):
    sources = [HEAD.replace("K:C", f"K:{key}") + music for music, _ in ALL.values()]
    texts = [canonical(tune, title=True) for tune in read_abc("\n\n".join(sources)).tunes]
    for text in texts + CANONICAL:
        assert transposed_text(text, semitones) == by_reading(text, semitones)


@pytest.mark.parametrize("semitones", SEMITONES)
def test_a_bar_line_of_any_kind_ends_an_accidental(semitones):
    text = "T:A Beg: [K:C]\nM:4/4\nK:Cmaj\n|:^F8::^F8|1^F8:|2^F8||[M:3/4]^F6|:^F6|F6:|\n\n"
    assert transposed_text(text, semitones) == by_reading(text, semitones)


def test_a_change_to_an_enharmonic_key_is_dropped():
    (tune,) = read_abc("M:4/4\nK:C#maj\nC8|[K:Dbmaj]D8|[M:3/4][K:Emin]E6|]\n\n").tunes
    text = canonical(tune.transposed(0))
    assert text == "M:4/4\nK:Dbmaj\nD8|[K:Dbmaj]D8|[M:3/4][K:Emin]E6|]\n\n"
    assert transposed_text(text, 1) == by_reading(text, 1)
    assert transposed_text(text, 1) == "M:4/4\nK:Dmaj\nD8|D8|[M:3/4][K:Fmin]F6|]\n\n"


def test_a_tune_from_midi_can_be_transposed():
    for music, _ in ALL.values():
        tune, _ = read_midi(write_midi(read_abc(HEAD + music).tunes[0]), "tune.mid")
        text = canonical(tune, title=True)
        for semitones in SEMITONES:
            assert transposed_text(text, semitones) == by_reading(text, semitones)


def test_all_tunes_come_in_one_key_after_the_other():
    texts = ["M:4/4\nK:Cmaj\nC8|]\n\n", "M:4/4\nK:Amin\nA8|]\n\n"]
    moved = list(in_all_keys(texts))
    assert moved[:2] == texts
    assert len(moved) == len(set(moved)) == 24
    tonics = [read_abc(text).tunes[0].key.pitch_class for text in moved]
    assert sorted(tonics[::2]) == sorted(tonics[1::2]) == list(range(12))


@pytest.mark.parametrize("text", ["prose", "M:4/4\n", "C8|]\n", "T:Air\nM:4/4\nK:Cmaj\n\n"])
def test_transposing_other_text_is_an_error_that_names_the_fix(text):
    with pytest.raises(CorpusError, match=r"needs whole tunes.* omit documents or transpose"):
        list(in_all_keys([text]))


@pytest.mark.slow
@needs_data
def test_people_s_tunes_can_be_transposed():
    for number, tune in enumerate(corpus_tunes()[::5]):
        text = canonical(tune, title=True)
        semitones = number % 12 - 6
        assert transposed_text(text, semitones) == by_reading(text, semitones)
