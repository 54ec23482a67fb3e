"""The sound has the tune's pitches and times and no clicks; other programs can read the file."""

import io
import wave
from fractions import Fraction

import numpy as np
import pytest

from charrnn.errors import ConfigError
from charrnn.music import synth
from charrnn.music.synth import RATE, VOICES, synthesise, wav_bytes
from charrnn.music.tune import Bar, Note, Tune, tempo_of

EIGHTH = Fraction(1, 8)
voices = pytest.mark.parametrize("voice", VOICES)


def make_tune(*notes):
    """A bar of (pitch, eighths)."""
    return Tune((Bar(tuple(Note(pitch, Fraction(length) * EIGHTH) for pitch, length in notes)),))


def heard_frequency(sound):
    """Return the strongest frequency, interpolated by a parabola through the logarithms."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * len(sound)))
    peak = int(np.argmax(spectrum))
    left, top, right = np.log(spectrum[peak - 1 : peak + 2])
    return (peak + (left - right) / (2 * (left - 2 * top + right))) * RATE / (4 * len(sound))


@voices
@pytest.mark.parametrize("pitch", [36, 48, 57, 62, 69, 74, 81, 90, 107])
def test_each_note_has_its_pitch(voice, pitch):
    sound = synthesise(make_tune((pitch, 4)), tempo=120, voice=voice)
    cents = 1200 * np.log2(heard_frequency(sound) / (440 * 2 ** ((pitch - 69) / 12)))
    assert abs(cents) < 4


@voices
def test_each_note_has_its_time(voice):
    tune = make_tune((None, 1), (69, 1), (None, 2), (76, Fraction(2, 3)), (None, 1))
    sound = synthesise(tune, tempo=100, voice=voice)
    eighth = 60 / 100 / 2 * RATE
    assert len(sound) == round(eighth * (5 + 2 / 3))
    audible = np.flatnonzero(np.abs(sound) > 1e-6)
    (gap,) = np.flatnonzero(np.diff(audible) > RATE / 20)
    borders = [audible[0], audible[gap], audible[gap + 1], audible[-1]]
    expected = np.array([1, 2, 4, 4 + 2 / 3]) * eighth
    np.testing.assert_allclose(borders, expected, atol=RATE / 1000)


@voices
def test_nothing_clicks(voice):
    """Where notes meet, the samples change no faster than within the notes."""
    pitches = [62, 74, 62, 62, 69, 81, 62]
    sound = synthesise(make_tune(*((pitch, 1) for pitch in pitches)), tempo=173, voice=voice)
    steps = np.abs(np.diff(sound))
    eighth = 60 / 173 / 2 * RATE
    assert sound[0] == 0
    assert abs(sound[-1]) < 1e-3
    assert np.max(steps) < 0.4
    for border in range(1, len(pitches)):
        at = round(border * eighth)
        assert np.max(steps[at - 20 : at + 20]) < 0.05


@voices
@pytest.mark.parametrize("tempo", [20, 120, 600])
def test_nothing_clips_and_nothing_is_faint(voice, tempo):
    tune = make_tune((45, 1), (81, Fraction(1, 8)), (107, 2), (69, Fraction(1, 24)))
    sound = synthesise(tune, tempo, voice)
    assert sound.dtype == np.float32
    assert np.max(np.abs(sound)) == pytest.approx(synth.PEAK)


@voices
def test_no_partial_is_above_half_the_sampling_rate(voice):
    """It would alias: a partial at f + RATE / 2 sounds like one at RATE / 2 - f."""
    sound = synthesise(make_tune((107, 8)), 120, voice)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    frequency = 440 * 2 ** ((107 - 69) / 12)
    at = np.arange(len(spectrum)) * RATE / len(sound)
    between = np.abs(at / frequency - np.round(at / frequency)) > 0.1
    assert np.max(spectrum[between | (at < frequency / 2)]) < 1e-3 * np.max(spectrum)


@voices
def test_repeats_are_played(voice):
    note = Bar((Note(69, Fraction(1, 4)),))
    twice = Tune((Bar(note.notes, opens=True, repeats=True),))
    np.testing.assert_array_equal(
        synthesise(twice, voice=voice), synthesise(Tune((note, note)), voice=voice)
    )


@pytest.mark.parametrize("tune", [Tune(()), make_tune((None, 4))], ids=["no bars", "a rest"])
def test_silence_is_silent(tune):
    assert not synthesise(tune).any()
    assert wav_bytes(tune)[:4] == b"RIFF"


def test_the_file_is_a_wave_file_of_the_same_sound():
    tune = make_tune((69, 2), (None, 1), (72, 1))
    with wave.open(io.BytesIO(wav_bytes(tune, 90, "whistle"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767
    np.testing.assert_allclose(samples, synthesise(tune, 90, "whistle"), atol=1 / 32_767)


def test_a_new_voice_is_one_entry(monkeypatch):
    monkeypatch.setitem(VOICES, "sine", lambda f, _, time: np.sin(2 * np.pi * f * time))
    assert abs(heard_frequency(synthesise(make_tune((69, 8)), voice="sine")) - 440) < 0.5


def test_the_default_tempo_suits_the_meter():
    assert tempo_of((6, 8)) == tempo_of((9, 8)) == 168
    assert tempo_of(None) == tempo_of((4, 4))
    assert tempo_of((6, 8), 90) == 90
    assert len(synthesise(make_tune((69, 8)), 240)) == RATE


def test_invalid_tempos_and_voices_are_errors():
    tune = make_tune((69, 8))
    with pytest.raises(ConfigError, match="'horn'; known voices: pluck, whistle"):
        synthesise(tune, voice="horn")
    for tempo in (0, 19, 601, float("nan")):
        with pytest.raises(ConfigError, match="tempo"):
            synthesise(tune, tempo)
    with pytest.raises(ConfigError, match="lasts 12,000 s"):
        synthesise(make_tune((69, 8000)), 20)
