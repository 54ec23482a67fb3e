"""MIDI files like those of other programs and players."""

import io

import mido

from charrnn.music.midi_io import read_midi


def heard(tune):
    return [(event.pitch, event.start, event.duration) for event in tune.events()]


def read(data):
    return read_midi(data, "tune.mid")[0]


def midi_file(*tracks, type=1, ticks_per_beat=480):
    """Return a MIDI file of tracks, each a list of (tick, message)."""
    file = mido.MidiFile(type=type, ticks_per_beat=ticks_per_beat)
    for messages in tracks:
        track, now = mido.MidiTrack(), 0
        for tick, message in sorted(messages, key=lambda each: each[0]):
            track.append(message.copy(time=round(tick) - now))
            now = round(tick)
        file.tracks.append(track)
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


def played(notes, channel=0):
    """Yield the messages of (pitch, first tick, last tick)."""
    for pitch, start, end in notes:
        yield start, mido.Message("note_on", note=pitch, channel=channel)
        yield end, mido.Message("note_off", note=pitch, channel=channel)


def meter_message(beats, unit):
    return mido.MetaMessage("time_signature", numerator=beats, denominator=unit)


SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def scale(length=240, gate=1.0, lag=lambda _: 0):
    for index, pitch in enumerate(SCALE * 2):
        start = max(0, index * length + lag(index))
        yield pitch, start, start + gate * length


def durations(tune):
    return [event.duration for event in tune.events()]
