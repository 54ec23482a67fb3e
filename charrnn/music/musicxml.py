"""Tunes to and from MusicXML, the format of notation programs, with music21, which is an extra:
pip install 'charrnn[musicxml]'.
"""

from __future__ import annotations

import warnings
from collections import Counter
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from itertools import product
from typing import Any

from charrnn.errors import CharRNNError, ConfigError, CorpusError, require
from charrnn.music.abc_fields import one_line
from charrnn.music.abc_repeats import Draft, tune_of
from charrnn.music.musicxml_files import score_root
from charrnn.music.mxl import packed
from charrnn.music.tune import LETTERS, MODES, Key, Meter, Note, Tune

# Our modes as music21 names them; MusicXML has the same names.
_MODE_NAMES = {"maj": "major", "min": "minor", "dor": "dorian", "phr": "phrygian"}
_MODE_NAMES |= {"lyd": "lydian", "mix": "mixolydian", "loc": "locrian"}
_ROUNDING = Fraction(1, 256)  # of a whole note; less is an error of rounding
_ENDS = ("double", "final", "heavy-heavy", "heavy-light")  # bar lines that end a section


def require_music21() -> None:
    """Raise ConfigError unless music21 is installed."""
    require(
        find_spec("music21") is not None,
        "MusicXML needs music21; install it with pip install 'charrnn[musicxml]'",
    )


# ---- reading -------------------------------------------------------------------------------------


def read_musicxml(data: bytes, name: str) -> tuple[Tune, Counter[str]]:
    """Return the melody in a MusicXML file, compressed or not, and count what is ignored by kind.

    The melody is the highest line of the first voice of the first part that has notes. Raises
    CorpusError, which gives the `name`, for data that cannot be read, and ConfigError if music21
    is not installed.
    """
    require_music21()
    root, ignored = score_root(data, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            score = _score_of(root)
            part = next(part for part in score.parts if part.pitches)
            title = score.metadata.title or score.metadata.movementName or ""
            ignored["other part"] += len(score.parts) - 1  # other staves
            tune, _ = tune_of(_drafts(part, ignored), one_line(title), ignored)
        except (CorpusError, ConfigError) as error:
            raise CorpusError(f"{name}: {error}") from None
        except Exception:  # music21 raises errors of many types
            raise CorpusError(
                f"{name} is damaged or not a MusicXML file; export it again as MusicXML"
            ) from None
    return tune, +ignored


def _m21() -> Any:
    import music21

    return music21


def _score_of(root: Any) -> Any:
    from music21.musicxml.xmlToM21 import MusicXMLImporter

    importer = MusicXMLImporter()
    importer.xmlRootToScore(root, importer.stream)
    return importer.stream.toSoundingPitch()


def _drafts(part: Any, ignored: Counter[str]) -> list[Draft]:
    """Return the bars of a part."""
    m21 = _m21()
    measures = list(part[m21.stream.Measure])
    brackets = list(part[m21.spanner.RepeatBracket])
    endings = {id(bracket.getFirst()): _ending(bracket.number) for bracket in brackets}
    ends = {id(bracket.getLast()) for bracket in brackets}
    ignored["other voice"] += max([1, *(len(measure.voices) for measure in measures)]) - 1
    meter: Meter | None = None
    key = Key()
    drafts: list[Draft] = []
    opens, ending = False, 0  # of the next bar with notes
    for measure in measures:
        for stated in measure[m21.meter.TimeSignature]:
            meter = (stated.numerator, stated.denominator)
        if measure[m21.meter.SenzaMisuraTimeSignature]:
            meter = None
        for stated in measure[m21.key.KeySignature]:
            key = _key(stated.sharps or 0, getattr(stated, "mode", None))
        left, right = measure.leftBarline, measure.rightBarline
        opens |= getattr(left, "direction", "") == "start"
        ending = endings.get(id(measure), ending)
        if drafts and getattr(left, "type", "") in _ENDS:
            drafts[-1].closes = True
        if not (notes := _notes(measure)):
            continue
        if opens or ending or not (drafts and _is_continued(drafts[-1], measure, notes)):
            drafts.append(Draft(meter=meter, key=key, opens=opens, ending=ending))
        for note in notes:
            drafts[-1].add(note)
        drafts[-1].repeats = getattr(right, "direction", "") == "end"
        drafts[-1].closes = getattr(right, "type", "") in _ENDS or id(measure) in ends
        opens, ending = False, 0
    return drafts


def _is_continued(draft: Draft, measure: Any, notes: list[Note]) -> bool:
    """Return whether a measure is the second part of a bar, which programs divide between lines: it
    has the number of the first part, or none.
    """
    numbered = measure.showNumber != _m21().stream.enums.ShowNumber.NEVER
    divided = not numbered or measure.numberSuffix
    full = Fraction(*draft.meter) if draft.meter else None
    fits = draft.duration + sum(note.duration for note in notes) == full
    return bool(divided and fits and not draft.repeats and not draft.closes)


def _ending(number: str) -> int:
    """Return the first of the numbers of an ending, such as "1, 2"; 1 for none."""
    digits = [character for character in number if character.isdigit()]
    return int(digits[0]) if digits else 1


def _notes(measure: Any) -> list[Note]:
    """Return the highest notes of the first voice of a measure that has any; time without a note
    or rest is a rest.
    """
    voices = list(measure.voices) or [measure]
    voice = next((voice for voice in voices if voice.notes), voices[0])
    notes: list[Note] = []
    now = Fraction(0)
    for element in voice.notesAndRests:
        start, duration = Fraction(element.offset) / 4, _duration(element.duration)
        if duration == 0 or start < now - _ROUNDING:  # a grace note; a note of another voice
            continue
        if start > now + _ROUNDING:
            notes.append(Note(None, start - now))
            now = start
        sounding = element.notes if element.isChord else [element]
        top = max((note for note in sounding if note.pitches), key=_height, default=None)
        tied = bool(top and top.tie and top.tie.type in ("start", "continue"))
        notes.append(Note(_height(top) if top else None, duration, tied))
        now += duration
    return notes


def _duration(stated: Any) -> Fraction:
    """Return a duration, that of the note value where a file rounds it, as of triplets."""
    exact = Fraction(stated.quarterLength) / 4
    if stated.linked:
        return exact
    convert = _m21().duration.convertTypeToQuarterLength
    written = Fraction(convert(stated.type, stated.dots, stated.tuplets)) / 4
    return written if abs(written - exact) < _ROUNDING else exact


def _height(note: Any) -> int:
    """Return the MIDI number of a note's pitch; raises CorpusError for one outside its range."""
    height: int = round(note.pitch.ps)
    if height not in range(128):
        raise CorpusError(f"the note {note.pitch.nameWithOctave} is outside the range of MIDI")
    return height


@cache
def _key(sharps: int, mode: str | None) -> Key:
    """Return the key with a signature, in major unless the mode is one of ours; raises ConfigError
    if there is none.
    """
    ours = next((name for name in MODES if _MODE_NAMES[name] == mode), "maj")
    for letter, accidental in product(LETTERS, ("", "#", "b")):
        try:
            key = Key(letter + accidental, ours)
        except ConfigError:
            continue
        if key.sharps == sharps:
            return key
    raise ConfigError(f"no key in {ours} has {sharps} sharps")


# ---- writing -------------------------------------------------------------------------------------


def write_musicxml(tune: Tune) -> bytes:
    """Return a MusicXML file of the tune.

    Raises ConfigError if music21 is not installed, and CharRNNError for durations that it cannot
    write.
    """
    require_music21()
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exporter = GeneralObjectExporter(_score(tune))
            exporter.makeNotation = False  # it would fill incomplete bars with rests
            content: bytes = exporter.parse()
        except Exception as error:  # music21 raises errors of many types
            raise CharRNNError(f"the tune cannot be written as MusicXML: {error}") from None
    return content


def write_mxl(tune: Tune) -> bytes:
    """Return a compressed MusicXML file of the tune; raises the errors of `write_musicxml`."""
    return packed(write_musicxml(tune))


def _score(tune: Tune) -> Any:
    m21 = _m21()
    part, instrument = m21.stream.Part(), m21.instrument.Instrument()
    instrument.partId = "P1"  # otherwise random
    part.insert(0, instrument)
    measures = _measures(tune)
    part.append(measures)
    for first, bar in enumerate(tune.bars):
        if bar.ending:
            last = first
            while not _ends(tune, last):
                last += 1
            bracket = m21.spanner.RepeatBracket(measures[first : last + 1], number=bar.ending)
            part.insert(0, bracket)
    part.makeAccidentals(inPlace=True)
    part.splitAtDurations(recurse=True)
    part.makeBeams(inPlace=True)
    for measure in measures:
        m21.stream.makeNotation.makeTupletBrackets(measure, inPlace=True)
    score = m21.stream.Score()
    score.metadata = m21.metadata.Metadata(title=tune.title, composer="")
    score.append(part)
    return score


def _ends(tune: Tune, index: int) -> bool:
    """Return whether an ending ends with a bar."""
    bar = tune.bars[index]
    last = index + 1 == len(tune.bars)
    return last or bar.repeats or bar.closes or tune.bars[index + 1].opens


def _measures(tune: Tune) -> list[Any]:
    """Return the bars for music21."""
    m21 = _m21()
    measures = []
    tied = False  # from the note before
    number = 0
    states = zip(tune.bars, tune.numbers(), tune.keys(), tune.meters(), strict=True)
    for index, (bar, next_number, key, meter) in enumerate(states):
        measure = m21.stream.Measure(number=next_number)
        if next_number == number:
            measure.showNumber = m21.stream.enums.ShowNumber.NEVER  # a pick-up, as programs know it
        number = next_number
        if index == 0:
            measure.append(m21.clef.TrebleClef())
        if index == 0 or bar.key:
            measure.append(m21.key.Key(key.tonic.replace("b", "-"), _MODE_NAMES[key.mode]))
        if index == 0 or bar.meter:
            stated = f"{meter[0]}/{meter[1]}" if meter else None
            free = m21.meter.SenzaMisuraTimeSignature
            measure.append(m21.meter.TimeSignature(stated) if stated else free())
        if bar.opens:
            measure.leftBarline = m21.bar.Repeat(direction="start")
        if bar.repeats:
            measure.rightBarline = m21.bar.Repeat(direction="end")
        elif bar.closes:
            last = index + 1 == len(tune.bars)
            measure.rightBarline = m21.bar.Barline("final" if last else "double")
        for note in bar.notes:
            measure.append(_written(note, key, tied))
            tied = note.tied
        measures.append(measure)
    return measures


def _written(note: Note, key: Key, tied: bool) -> Any:
    """Return a note or rest for music21; `tied` is whether the note before is tied to it."""
    m21 = _m21()
    if note.pitch is None:
        return m21.note.Rest(quarterLength=4 * note.duration)
    letter, alteration, octave = key.spelling(note.pitch)
    pitch = m21.pitch.Pitch(step=letter, accidental=alteration or None, octave=octave + 4)
    written = m21.note.Note(pitch, quarterLength=4 * note.duration)
    if note.tied or tied:
        both = note.tied and tied
        written.tie = m21.tie.Tie("continue" if both else "start" if note.tied else "stop")
    return written
