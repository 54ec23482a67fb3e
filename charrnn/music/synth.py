"""A tune as sound: a sum of sines for each note, and WAV files.

    x(t) = sum over k of a_k(t) sin(2 pi k f t),    k = 1, 2, ... while k f < half the sampling rate

A voice is the loudness of the partials and how they fade. To add one, write a function of a
frequency in Hz, the largest number of partials, and the times of the samples in seconds, and list
it in VOICES. Ramps against clicks and a loudness that never clips are common to all voices.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import require
from charrnn.music.tune import Tune, tempo_of

Times = NDArray[np.float64]

RATE = 44_100  # samples per second
PEAK = 0.8  # the loudest sample; a file can hold up to 1
ATTACK, RELEASE = 0.003, 0.015  # seconds
MAX_SECONDS = 600


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


def synthesise(tune: Tune, tempo: float | None = None, voice: str = "pluck") -> NDArray[np.float32]:
    """Return the tune with its repeats as samples between -1 and 1, `RATE` per second.

    `tempo` is in quarter notes per minute, by default `tempo_of` the meter. Raises ConfigError for
    an unknown voice, and for more than ten minutes of sound.
    """
    require(voice in VOICES, f"unknown voice {voice!r}; known voices: {', '.join(VOICES)}")
    whole = Fraction(60 * 4 * RATE) / Fraction(tempo_of(tune.meter, tempo))  # samples
    length = sum((tune.bars[index].duration for index in tune.played()), Fraction(0))
    require(
        length * whole <= MAX_SECONDS * RATE,
        f"the tune lasts {float(length * whole / RATE):,.0f} s; the limit is {MAX_SECONDS} s",
    )
    sound = np.zeros(round(length * whole), np.float32)
    tones: dict[tuple[int, int], Times] = {}
    for event in tune.events():
        start = round(event.start * whole)
        end = round((event.start + event.duration) * whole)
        tone = tones.get((event.pitch, end - start))
        if tone is None:
            tone = tones[event.pitch, end - start] = _tone(event.pitch, end - start, voice)
        sound[start:end] = tone
    loudest = np.max(np.abs(sound), initial=0.0)
    return sound * np.float32(PEAK / loudest) if loudest > 0 else sound


def _tone(pitch: int, samples: int, voice: str) -> Times:
    """Return one note, which begins and ends with 0."""
    frequency = 440.0 * 2.0 ** ((pitch - 69) / 12)
    partials = int(RATE / 2 / (1.01 * frequency))  # leaves room for a vibrato
    tone = VOICES[voice](frequency, partials, np.arange(samples) / RATE)
    for seconds, part in ((ATTACK, tone), (RELEASE, tone[::-1])):
        ramp = min(round(seconds * RATE), samples // 2)
        part[:ramp] *= np.sin(np.pi / 2 * np.arange(ramp) / max(1, ramp)) ** 2
    return tone


def wav_bytes(tune: Tune, tempo: float | None = None, voice: str = "pluck") -> bytes:
    """Return the result of `synthesise` as a WAV file: 44.1 kHz, 16 bits, mono."""
    samples = np.round(synthesise(tune, tempo, voice) * 32_767).astype("<i2")
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return data.getvalue()
