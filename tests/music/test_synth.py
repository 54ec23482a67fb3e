"""The sound has the tune's pitches and times and no clicks; other programs can read the file."""

import io
import wave
from fractions import Fraction

import numpy as np
import pytest

from charrnn.errors import ConfigError
from charrnn.music import synth
from charrnn.music.performance import Style
from charrnn.music.synth import GAP, RATE, RELEASE, VOICES, synthesise, wav_parts
from charrnn.music.tune import Bar, Note, Tune, tempo_of

TAIL = round(RELEASE * RATE)  # samples after the end of a tune
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
    assert len(sound) == round(eighth * (5 + 2 / 3)) + TAIL
    audible = np.flatnonzero(np.abs(sound) > 1e-6)
    (gap,) = np.flatnonzero(np.diff(audible) > RATE / 20)
    borders = [audible[0], audible[gap], audible[gap + 1], audible[-1]]
    expected = np.array([1, 2, 4, 4 + 2 / 3]) * eighth + [0, TAIL, 0, TAIL]
    np.testing.assert_allclose(borders, expected, atol=RATE / 500)


@voices
@pytest.mark.parametrize("pitch", [45, 69, 93])
@pytest.mark.parametrize("length", [1, Fraction(1, 8), 8])
def test_no_note_begins_or_ends_with_a_click(voice, pitch, length):
    """The sound neither jumps at the ends of a note, nor changes faster than inside it."""
    sound = synthesise(make_tune((pitch, length), (None, 1)), tempo=173, voice=voice)
    end = round(length * 60 / 173 / 2 * RATE)
    steps = np.abs(np.diff(sound, prepend=0, append=0))
    inside = np.max(steps[: end - 20])
    assert np.max(steps[:4]) < 0.02 * inside
    rising = 1.05 if length >= 1 else 3  # a whistle's tone has just begun
    assert np.max(steps[end - 20 :]) < rising * inside
    assert np.max(steps[end + TAIL - 20 :]) < 0.02 * inside
    assert np.max(np.abs(sound[end + TAIL :])) == 0


@voices
def test_a_note_rings_on_while_the_next_begins(voice):
    whole = synthesise(make_tune((62, 2), (74, 2)), tempo=120, voice=voice)
    parts = [make_tune((62, 2), (None, 2)), make_tune((None, 2), (74, 2))]
    first, second = (synthesise(part, tempo=120, voice=voice) for part in parts)
    border = RATE // 2 + np.arange(100)
    together, alone = (sound[border] / np.max(sound[: RATE // 4]) for sound in (whole, first))
    assert np.max(np.abs(alone)) > 0.1
    assert np.max(np.abs(second[border[:4]])) < 0.01, "it begins softly"
    np.testing.assert_allclose(together[:4], alone[:4], atol=0.01)


def test_accents_are_heard():
    sound = synthesise(make_tune(*[(69, 1), (None, 1)] * 4), tempo=60)
    beats = [np.max(np.abs(sound[n * RATE :][: RATE // 8])) for n in range(4)]
    assert beats[0] > beats[2] > beats[1]


def test_swing_is_heard():
    tune = make_tune((69, 1), (None, 1), (69, 1), (69, 1))
    swung = synthesise(tune, tempo=60, style=Style(1.5))
    assert not swung[round(RATE * 0.6) + TAIL : RATE].any()
    assert swung[RATE + round(RATE * 0.6) + 200 :].any()


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
    note = Bar((Note(69, Fraction(1, 4)),), closes=True)
    twice = Tune((Bar(note.notes, opens=True, repeats=True),))
    np.testing.assert_array_equal(
        synthesise(twice, voice=voice), synthesise(Tune((note, note)), voice=voice)
    )


@pytest.mark.parametrize("tune", [Tune(()), make_tune((None, 4))], ids=["no bars", "a rest"])
def test_silence_is_silent(tune):
    assert not synthesise(tune).any()
    assert next(wav_parts([tune]))[:4] == b"RIFF"


def samples_of(data):
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767


def test_the_file_is_a_wave_file_of_the_same_sound():
    tune = make_tune((69, 2), (None, 1), (72, 1))
    samples = samples_of(b"".join(wav_parts([tune], 90, "whistle")))
    np.testing.assert_allclose(samples, synthesise(tune, 90, "whistle"), atol=1 / 32_767)


def test_a_file_of_several_tunes_plays_them_with_gaps():
    tunes = [make_tune((69, 2)), make_tune((72, 1)), make_tune((74, 1))]
    samples = samples_of(b"".join(wav_parts(tunes)))
    gap = np.zeros(round(GAP * RATE))
    sounds = [synthesise(tune) for tune in tunes]
    expected = np.concatenate([sounds[0], gap, sounds[1], gap, sounds[2]])
    np.testing.assert_allclose(samples, expected, atol=1 / 32_767)


def test_only_one_tune_is_synthesised_at_a_time(monkeypatch):
    made = []
    monkeypatch.setattr(synth, "synthesise", lambda *_: made.append(1) or np.zeros(9))
    parts = wav_parts([make_tune((69, 8))] * 1000)
    next(parts), next(parts)
    assert len(made) == 1


def test_tunes_that_are_too_long_fail_before_anything_is_written(monkeypatch):
    with pytest.raises(ConfigError, match="the tune lasts 1,500 s; the limit is 600 s"):
        next(wav_parts([make_tune((69, 8)), make_tune((69, 8000))]))
    monkeypatch.setattr(synth, "LARGEST", 500_000)
    with pytest.raises(ConfigError, match=r"4 tunes last 0\.0 hours; a \.wav file holds at most"):
        next(wav_parts([make_tune((69, 8))] * 4))


def test_a_new_voice_is_one_entry(monkeypatch):
    monkeypatch.setitem(VOICES, "sine", lambda f, _, time: np.sin(2 * np.pi * f * time))
    assert abs(heard_frequency(synthesise(make_tune((69, 8)), voice="sine")) - 440) < 0.5


def test_the_default_tempo_suits_the_meter():
    assert tempo_of((6, 8)) == tempo_of((9, 8)) == 168
    assert tempo_of(None) == tempo_of((4, 4))
    assert tempo_of((6, 8), 90) == 90
    assert len(synthesise(make_tune((69, 8)), 240)) == RATE + TAIL


def test_invalid_tempos_and_voices_are_errors():
    tune = make_tune((69, 8))
    with pytest.raises(ConfigError, match="'horn'; known voices: pluck, whistle"):
        synthesise(tune, voice="horn")
    for tempo in (0, 19, 601, float("nan")):
        with pytest.raises(ConfigError, match="tempo"):
            synthesise(tune, tempo)
    with pytest.raises(ConfigError, match="lasts 12,000 s"):
        synthesise(make_tune((69, 8000)), 20)
