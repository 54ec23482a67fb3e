"""A tune as sound: a sum of sines for each note, and WAV files.

    x(t) = sum over k of a_k(t) sin(2 pi k f t),    k = 1, 2, ... while k f < half the sampling rate

A voice is the loudness of the partials and how they fade. To add one, write a function of a
frequency in Hz, the largest number of partials, and the times of the samples in seconds, and list
it in VOICES. Common to all voices are a short attack and, after the end of a note, a release, so
that nothing clicks, and a loudness that never clips.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import counted, require
from charrnn.music.performance import PLAIN, Played, Strum, Style, accompaniment, performance
from charrnn.music.tune import Tune, tempo_of

Times = NDArray[np.float64]

RATE = 44_100  # samples per second
PEAK = 0.8  # the loudest sample; a file can hold up to 1
ATTACK, RELEASE = 0.003, 0.08  # seconds
SOFT = 0.5  # factor for each note of an accompaniment
GAP = 1.0  # seconds between the tunes of a file
MAX_SECONDS = 600  # of a tune
LARGEST = (1 << 32) - 1 - 36  # bytes of samples in a WAV file


def pluck(frequency: float, partials: int, time: Times) -> Times:
    """A string: a_k(t) = 1/k^2 exp(-(2 Hz + k f / 300) t), so the highest partials fade first.

    As sin(k phase) is the imaginary part of exp(i phase)^k, the sum is a polynomial in
    u = exp((2 pi i - 1/300) f t), here of at most 12 terms.
    """
    u = np.exp((2j * np.pi - 1 / 300) * frequency * time)
    amplitudes = [1 / k**2 for k in range(min(partials, 12), 0, -1)]
    sound: Times = np.exp(-2 * time) * np.polyval([*amplitudes, 0], u).imag
    return sound


def whistle(frequency: float, partials: int, time: Times) -> Times:
    """A tin whistle: a_k(t) = 6^(1-k) (1 - exp(-t / 20 ms)), with at most three partials.

    A vibrato of 5 Hz and up to 7 cents sets in slowly.
    """
    bend = 0.004 / (2 * np.pi * 5) * (1 - np.exp(-time / 0.4)) * np.sin(2 * np.pi * 5 * time)
    u = np.exp(2j * np.pi * frequency * (time + bend))
    amplitudes = [6.0 ** (1 - k) for k in range(min(partials, 3), 0, -1)]
    sound: Times = (1 - np.exp(-time / 0.02)) * np.polyval([*amplitudes, 0], u).imag
    return sound


VOICES: dict[str, Callable[[float, int, Times], Times]] = {"pluck": pluck, "whistle": whistle}


def synthesise(
    tune: Tune, tempo: float | None = None, voice: str = "pluck", style: Style = PLAIN
) -> NDArray[np.float32]:
    """Return the tune with its repeats as samples between -1 and 1, `RATE` per second.

    The last note rings for RELEASE after its end. `tempo` is in quarter notes per minute, by
    default `tempo_of` the meter. Raises ConfigError for an unknown voice, and for more than ten
    minutes of sound.
    """
    require(voice in VOICES, f"unknown voice {voice!r}; known voices: {', '.join(VOICES)}")
    sound = np.zeros(_length(tune, tempo), np.float32)
    whole = _whole_note(tune, tempo)
    sounding: list[tuple[int, Played | Strum, float]] = [
        *((note.pitch, note, 1.0) for note in performance(tune, style)),
        *((pitch, strum, SOFT) for strum in accompaniment(tune, style) for pitch in strum.pitches),
    ]
    tones: dict[tuple[int, int], Times] = {}
    for pitch, played, softness in sounding:
        start, end = round(played.start * whole), round((played.start + played.sounds) * whole)
        if start == end:
            continue
        tone = tones.get((pitch, end - start))
        if tone is None:
            tone = tones[pitch, end - start] = _tone(pitch, end - start, voice)
        sound[start : start + len(tone)] += softness * played.velocity * tone
    loudest = np.max(np.abs(sound), initial=0.0)
    return sound * np.float32(PEAK / loudest) if loudest > 0 else sound


def _whole_note(tune: Tune, tempo: float | None) -> Fraction:
    """Return the length of a whole note in samples."""
    return Fraction(60 * 4 * RATE) / Fraction(tempo_of(tune.meter, tempo))


def _length(tune: Tune, tempo: float | None) -> int:
    """Return the length of the tune's sound in samples."""
    written = sum((tune.bars[index].duration for index in tune.played()), Fraction(0))
    length = written * _whole_note(tune, tempo)
    require(
        length <= MAX_SECONDS * RATE,
        f"the tune lasts {float(length / RATE):,.0f} s; the limit is {MAX_SECONDS} s",
    )
    return round(length) + round(RELEASE * RATE)


def _tone(pitch: int, samples: int, voice: str) -> Times:
    """Return one note and its release; it begins and ends with 0."""
    frequency = 440.0 * 2.0 ** ((pitch - 69) / 12)
    partials = int(RATE / 2 / (1.01 * frequency))  # leaves room for a vibrato
    release = round(RELEASE * RATE)
    tone = VOICES[voice](frequency, partials, np.arange(samples + release) / RATE)
    attack = min(round(ATTACK * RATE), samples)
    tone[:attack] *= np.sin(np.pi / 2 * np.arange(attack) / attack) ** 2
    tone[samples:] *= np.cos(np.pi / 2 * np.arange(1, release + 1) / release) ** 2
    return tone


def wav_parts(
    tunes: Sequence[Tune],
    tempo: float | None = None,
    voice: str = "pluck",
    style: Style = PLAIN,
) -> Iterator[bytes]:
    """Yield the parts of a WAV file, 44.1 kHz, 16 bits, mono: its header, and the tunes one after
    another. Only one tune's sound is in memory. Raises what `synthesise` raises, before the first
    part, and ConfigError for tunes that are too long for a WAV file.
    """
    gap = bytes(2 * round(GAP * RATE))
    size = sum(2 * _length(tune, tempo) for tune in tunes) + len(gap) * max(0, len(tunes) - 1)
    require(
        size <= LARGEST,
        f"{counted(len(tunes), 'tune')} last {size / 2 / RATE / 3600:.1f} hours; a .wav file holds "
        f"at most {LARGEST / 2 / RATE / 3600:.1f}",
    )
    head = (b"RIFF", 36 + size, b"WAVEfmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", size)
    yield struct.pack("<4sI8sIHHIIHH4sI", *head)
    for number, tune in enumerate(tunes):
        if number:
            yield gap
        yield np.round(synthesise(tune, tempo, voice, style) * 32_767).astype("<i2").tobytes()
