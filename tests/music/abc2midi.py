"""abc2midi, another ABC reader, for comparison."""

import re
import subprocess

import pytest

SHARE = 0.3  # fraction of the corpora's tunes to compare


def play(folder, text):
    """Convert the tunes X:1, X:2, ...; return the notes of each and abc2midi's warnings."""
    mido = pytest.importorskip("mido")
    text = re.sub(r"(?m)^(K:.*)$", "\\1\n%%MIDI nobeataccents\n%%MIDI chordattack 0", text)
    (folder / "t.abc").write_text(text)
    command = ["abc2midi", "t.abc", "-NGUI", "-NGRA", "-NFER"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = done.stdout.decode(errors="replace").splitlines()
    warnings = [line for line in log if line.startswith(("Warning", "Error"))]
    tunes = []
    for number in range(1, len(re.findall("(?m)^X:", text)) + 1):
        path = folder / f"t{number}.mid"
        tunes.append(notes_in(mido.MidiFile(path)) if path.exists() else [])
    return tunes, warnings


def notes_in(midi):
    """Return (pitch, start, duration) in whole notes, the highest of notes that start together."""
    whole, now = 4 * midi.ticks_per_beat, 0
    begun, notes = {}, {}
    for message in (message for track in midi.tracks[-1:] for message in track):
        now += message.time
        if message.type == "note_on" and message.velocity:
            begun[message.note] = now - 1  # abc2midi starts notes one tick late
        elif message.type in ("note_on", "note_off") and message.note in begun:
            start = begun.pop(message.note)
            if start not in notes or notes[start][0] < message.note:
                notes[start] = (message.note, start / whole, (now - start) / whole)
    return [notes[start] for start in sorted(notes)]


def agree(tune, notes):
    """Return whether a tune sounds like the notes, within some ticks, since abc2midi rounds."""
    ours = [(event.pitch, float(event.start), float(event.duration)) for event in tune.events()]
    return len(ours) == len(notes) and all(
        a[0] == b[0] and abs(a[1] - b[1]) < 0.006 and abs(a[2] - b[2]) < 0.006
        for a, b in zip(ours, notes, strict=True)
    )
