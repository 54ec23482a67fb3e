"""Write tunes as MIDI files, and read melodies from MIDI files.

A MIDI file has the times, in clock ticks, at which keys go down and up, and possibly meters and key
signatures. transcription.py estimates the written music from these.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import mido

from charrnn.errors import CorpusError, require
from charrnn.music.performance import PLAIN, Strum, Style, accompaniment, performance
from charrnn.music.quantise import MAX_LENGTH, QUARTER, WHOLE, Sound
from charrnn.music.transcription import DEFAULT_METER, Performance, transcribe
from charrnn.music.tune import MODES, Key, Meter, Tune, tempo_of

TICKS = 480  # in a quarter note, in files that we write: ten per unit of quantise.py
FLUTE, GUITAR = 73, 24  # General MIDI programs, counted from 0
ACCOMPANIMENT = "Accompaniment"  # the name of a track that is not a melody
PERCUSSION = 9  # the drum channel, counted from 0
MAX_BYTES = 1_000_000


# ---- writing -------------------------------------------------------------------------------------


def write_midi(
    tune: Tune, tempo: float | None = None, program: int = FLUTE, style: Style = PLAIN
) -> bytes:
    """Return a MIDI file, type 0, of the tune as played, with its repeats and accents. With chords
    it is of type 1, and its second track is the accompaniment.

    `tempo` is in quarter notes per minute, by default `tempo_of` the meter; `program` is the
    General MIDI instrument, 0 to 127. Modes other than major and minor are written as the major or
    minor key with the same signature. Raises ConfigError for values outside these ranges, and for
    pitches that MIDI does not have.
    """
    require(0 <= program <= 127, f"program must be between 0 and 127, got {program}")
    notes = [note for note in performance(tune, style) if note.sounds]
    for note in notes:
        require(
            0 <= note.pitch <= 127,
            f"MIDI pitches must be between 0 and 127, got {note.pitch}; transpose the tune",
        )
    beat = mido.bpm2tempo(tempo_of(tune.meter, tempo))
    silence = _silence(tune)
    # (tick, rank, message): at the same tick notes end first, then signatures change, then notes
    # begin.
    timed = [
        (0, 1, mido.MetaMessage("track_name", name=_latin(tune.title))),
        (0, 1, mido.MetaMessage("set_tempo", tempo=beat)),
        (0, 1, mido.Message("program_change", program=program)),
    ]
    for start, (beats, unit) in _written_meters(tune):
        message = mido.MetaMessage("time_signature", numerator=beats, denominator=unit)
        timed.append((_ticks(start + silence) if start else 0, 1, message))
    for start, key in _changes(tune, "key"):
        message = mido.MetaMessage("key_signature", key=_signature(key))
        timed.append((_ticks(start + silence) if start else 0, 1, message))
    for note in notes:
        down, up = (_ticks(silence + time) for time in (note.start, note.start + note.sounds))
        key_down = mido.Message("note_on", note=note.pitch, velocity=note.velocity)
        timed.append((down, 2, key_down))
        timed.append((up, 0, mido.Message("note_off", note=note.pitch)))
    length = sum((tune.bars[index].duration for index in tune.played()), silence)
    end = (_ticks(length), 3, mido.MetaMessage("end_of_track"))
    tracks = [_track([*timed, end])]
    if strums := accompaniment(tune, style):
        tracks.append(_track([*_strummed(strums, silence), end]))
    data = io.BytesIO()
    file = mido.MidiFile(type=len(tracks) - 1, ticks_per_beat=TICKS, tracks=tracks)
    file.save(file=data)
    return data.getvalue()


def _strummed(strums: list[Strum], silence: Fraction) -> Iterator[tuple[int, int, Any]]:
    """Yield the messages of an accompaniment, as `write_midi` has those of the melody."""
    yield 0, 1, mido.MetaMessage("track_name", name=ACCOMPANIMENT)
    yield 0, 1, mido.Message("program_change", program=GUITAR, channel=1)
    for strum in strums:
        down, up = (_ticks(silence + time) for time in (strum.start, strum.start + strum.sounds))
        for pitch in strum.pitches:
            note = {"note": pitch, "channel": 1}
            yield down, 2, mido.Message("note_on", velocity=strum.velocity, **note)
            yield up, 0, mido.Message("note_off", **note)


def _track(timed: list[tuple[int, int, Any]]) -> Any:
    """Return a track of messages with their ticks and ranks."""
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(timed, key=lambda each: each[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _ticks(time: Fraction) -> int:
    return round(time * 4 * TICKS)


def _latin(title: str) -> str:
    """Return the text that mido, which writes Latin-1, turns into the title's UTF-8 bytes."""
    return title.encode("utf-8", "replace").decode("latin-1")


def _signature(key: Key) -> str:
    """Return MIDI's name for the major or minor key with the same signature as `key`.

    >>> _signature(Key("F#", "min")), _signature(Key("D", "dor")), _signature(Key("A", "mix"))
    ('F#m', 'Am', 'D')
    """
    mode = "min" if (key.pitch_class + 3) % 12 in key.scale() else "maj"
    altered, letter = divmod(key.sharps + 1 - MODES[mode], 7)
    return "FCGDAEB"[letter] + ("", "#", "b")[altered] + ("m" if mode == "min" else "")


def _changes(tune: Tune, what: str) -> list[tuple[Fraction, Any]]:
    """Return the times at which the meter, or key, changes in performance, and its new values.

    The first is at 0. A change applies to the bars written after it, so going back to repeat a
    section reverts it.
    """
    in_force = [getattr(tune, what)]
    for bar in tune.bars:
        in_force.append(getattr(bar, what) or in_force[-1])
    changes: list[tuple[Fraction, Any]] = []
    now = Fraction(0)
    for index in tune.played():
        value = in_force[index + 1]
        if not changes or changes[-1][1] != value:
            changes.append((now, value))
        now += tune.bars[index].duration
    return changes


def _silence(tune: Tune) -> Fraction:
    """Return how long the file is silent before a pick-up, so that bars begin where its meter has
    them.
    """
    events, meter = tune.events(), _possible(tune.meter)
    missing = Fraction(*meter) - tune.bars[0].duration if tune.bars else Fraction(0)
    if len(tune.bars) > 1 and not tune.bars[1].meter and events and events[0].start == 0:
        return max(Fraction(0), missing)
    return Fraction(0)


def _written_meters(tune: Tune) -> list[tuple[Fraction, Meter]]:
    """Return the changes of meter, with an extra one if the first bar needs it.

    If the tune begins with a rest, its meter is written twice, at the start and one bar later, and
    a pick-up then has a meter of its own length: see `_is_stated` in transcription.py.
    """
    changes = [(start, _possible(meter)) for start, meter in _changes(tune, "meter")]
    if not changes or _silence(tune):
        return changes
    meter, events = changes[0][1], tune.events()
    length = tune.bars[0].duration
    first = (length.numerator, length.denominator)
    if not _is_possible(first):
        length, first = Fraction(*meter), meter
    elif length == Fraction(*meter):
        first = meter
    if first == meter and (not events or events[0].start == 0):
        return changes
    return [(Fraction(0), first), (length, meter), *changes[1:]]


def _possible(meter: Meter | None) -> Meter:
    """Return the meter, or the default one if it is not possible."""
    return meter if meter and _is_possible(meter) else DEFAULT_METER


def _is_possible(meter: Meter) -> bool:
    """Return whether MIDI can store the meter and our time units can express its bars."""
    return 1 <= meter[0] <= 255 and meter[1] in (1, 2, 4, 8, 16, 32, 64)


# ---- reading -------------------------------------------------------------------------------------


def read_midi(data: bytes, name: str) -> tuple[Tune, tuple[str, ...]]:
    """Return the melody in a MIDI file of type 0 or 1, and remarks for the user.

    Without a meter in the file it is 4/4; without a key it is estimated from the notes. Raises
    CorpusError, which gives the `name`, for data that is not a MIDI file, has no melody, or is too
    long for a tune.
    """
    played = _performance(_parse(data, name), name)
    if not played.voices:
        raise CorpusError(
            f"{name} has no notes outside the percussion channel; use a file with a melody"
        )
    try:
        return transcribe(played)
    except CorpusError as error:
        raise CorpusError(f"{name} {error}") from None


def _parse(data: bytes, name: str) -> Any:
    """Return the bytes as a mido.MidiFile; raises CorpusError."""
    if len(data) > MAX_BYTES:
        raise CorpusError(
            f"{name} is {len(data):,} bytes; the limit for MIDI files is {MAX_BYTES:,}"
        )
    try:
        # mido reads a run of such bytes as one number, in quadratic time.
        if re.search(rb"[\x80-\xff]{1000}", data):
            raise ValueError("a number of a thousand digits")
        file = mido.MidiFile(file=io.BytesIO(data))
    except Exception:  # mido raises errors of many types
        raise CorpusError(
            f"{name} is damaged or not a MIDI file; export it again as a standard MIDI file"
        ) from None
    if file.type not in (0, 1) and len(file.tracks) > 1:
        raise CorpusError(f"{name} is a MIDI file of type {file.type}; save it as type 0 or 1")
    if file.ticks_per_beat <= 0:
        raise CorpusError(
            f"{name} has SMPTE time codes instead of beats; export it with ticks per quarter note"
        )
    return file


def _performance(file: Any, name: str) -> Performance:
    """Return the notes, meters, keys and track names of all tracks."""
    voices: dict[tuple[int, int], list[Sound]] = defaultdict(list)
    meters: dict[int, Meter] = {}
    keys: dict[int, Key] = {}
    titles: dict[int, str] = {}
    for number, track in enumerate(file.tracks):
        ticks = 0
        held: dict[tuple[int, int], float] = {}
        for message in track:
            ticks += message.time
            is_note = message.type in ("note_on", "note_off")
            if ticks * QUARTER > MAX_LENGTH * file.ticks_per_beat:
                if is_note:
                    raise CorpusError(
                        f"{name} is longer than {MAX_LENGTH // WHOLE:,} whole notes; split it into "
                        "single tunes"
                    )
                continue
            now = ticks * QUARTER / file.ticks_per_beat
            if is_note and message.channel != PERCUSSION:
                voice, pitch = (number, message.channel), message.note
                start = held.pop((message.channel, pitch), now)
                if start < now:
                    voices[voice].append(Sound(start, now, pitch))
                if message.type == "note_on" and message.velocity > 0:
                    held[message.channel, pitch] = now
            elif message.type == "time_signature":
                meter = (message.numerator, message.denominator)
                if _is_possible(meter):
                    meters[round(now)] = meter
            elif message.type == "key_signature":
                mode = "min" if message.key.endswith("m") else "maj"
                keys[round(now)] = Key(message.key.removesuffix("m"), mode)
            elif message.type == "track_name":
                titles.setdefault(number, _title(message.name))
        # A note without an end lasts until the next note of its voice.
        for (channel, pitch), start in held.items():
            sounds = voices.get((number, channel), [])
            end = min((sound.start for sound in sounds if sound.start > start), default=now)
            if start < end:
                voices[number, channel].append(Sound(start, end, pitch))
    melodies = {
        (track, channel): sounds
        for (track, channel), sounds in voices.items()
        if titles.get(track) != ACCOMPANIMENT
    }
    fine = file.ticks_per_beat >= 2 * QUARTER
    changes = sorted(meters.items()), sorted(keys.items())
    return Performance(melodies or dict(voices), *changes, titles, fine)


def _title(name: str) -> str:
    """Return a track's name, in UTF-8 or otherwise Latin-1, as one line."""
    with suppress(UnicodeDecodeError):
        name = name.encode("latin-1").decode("utf-8")
    return "".join(c for c in " ".join(name.split()) if c.isprintable())
