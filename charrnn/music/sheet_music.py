"""A tune as sheet music, engraved by verovio, which is an extra: pip install 'charrnn[score]'.

verovio's ABC reader lacks endings, changes of key and many tuplets, so the tune is written as MEI,
its native format: notes with one value each, in beams and tuplets.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, groupby, pairwise

from charrnn.errors import ConfigError
from charrnn.music.harmony import NO_SYMBOLS, Symbols, symbols_of
from charrnn.music.layout import Measure, beat, measures_of, systems_of
from charrnn.music.tune import Key, Meter, Note, Tune

# The values of single notes in whole notes, with MEI's names: plain and dotted.
_NAMES = {Fraction(2): "breve"} | {Fraction(1, 1 << k): str(1 << k) for k in range(8)}
_VALUES = sorted(
    ((value * (2 - Fraction(1, 1 << dots)), name, dots)
     for value, name in _NAMES.items() for dots in (0, 1)),
    reverse=True,
)  # fmt: skip
_WIDTH, _NARROW = 2000, 900  # in tenths of a millimeter
_OPTIONS = {
    "inputFrom": "mei",
    "breaks": "encoded",
    "pageHeight": 60_000,
    "adjustPageHeight": True,
    "pageMarginTop": 30,
    "pageMarginBottom": 30,
    "pageMarginLeft": 0,
    "pageMarginRight": 0,
    "scale": 50,
    "header": "none",
    "footer": "none",
    "svgViewBox": True,
    "svgFormatRaw": True,
    "svgRemoveXlink": True,
}


def engraved(tune: Tune, *, narrow: bool = False, chords: bool = False) -> str:
    """Return the tune as sheet music: an SVG whose notes have `data-note`, as in a piano roll.

    A `narrow` drawing is for phones. With `chords`, it has their symbols. Raises ConfigError if
    verovio is not installed, and for chords of a tune without a key.
    """
    try:
        import verovio
    except ImportError:
        raise ConfigError(
            "sheet music needs verovio; install it with pip install 'charrnn[score]'"
        ) from None
    mei = "".join(_mei(tune, narrow, symbols_of(tune) if chords else NO_SYMBOLS))
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    # The ids in a drawing come from this seed; several drawings share a page.
    options = {"pageWidth": _NARROW if narrow else _WIDTH}
    options["xmlIdSeed"] = zlib.crc32(mei.encode()) % 1_000_000 + 1
    toolkit.setOptions(_OPTIONS | options)
    toolkit.loadData(mei)
    svg = re.sub(r'id="note-(\d+)-\d+"', r'data-note="\1"', toolkit.renderToSVG(1))
    return re.sub(r'<g id="\w+" class=', "<g class=", svg)  # nothing refers to those


@dataclass
class _Piece:
    """A note head or rest: a whole note of the tune, or a part of one."""

    number: int  # of the note among the tune's; -1 for a rest
    part: int
    pitch: int | None
    name: str
    dots: int
    group: int  # its beat, or, below 0, its tuplet
    ratio: tuple[int, int] | None  # of the tuplet, such as 3 in the time of 2
    tied: bool
    goes_on: bool = False  # continues a tied note

    @property
    def short(self) -> bool:
        """Whether it has a flag or beam."""
        return self.name in ("8", "16", "32", "64", "128")


def _mei(tune: Tune, narrow: bool = False, symbols: Symbols = NO_SYMBOLS) -> Iterator[str]:
    measures = measures_of(tune)
    pieces = [_pieces(measure) for measure in measures]
    _tie([piece for inside in pieces for piece in inside])
    yield '<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0">'
    yield f"<music><body><mdiv><score><scoreDef{_signatures(tune.key, tune.meter)}><staffGrp>"
    yield '<staffDef n="1" lines="5" clef.shape="G" clef.line="2"/></staffGrp></scoreDef><section>'
    starts = {system[0].index for system in systems_of(measures, narrow)}
    for measure in measures:
        bar, last = measure.bar, measure is measures[-1]
        if measure.index and measure.index in starts:
            yield "<sb/>"
        if bar.key or bar.meter:
            yield f"<scoreDef{_signatures(bar.key, measure.meter if bar.meter else None)}/>"
        if bar.ending:
            yield f'<ending n="{bar.ending}">'
        left = ' left="rptstart"' if bar.opens else ""
        right = "rptend" if bar.repeats else "end" if last else "dbl" if bar.closes else "single"
        yield f'<measure{left} right="{right}"><staff n="1"><layer n="1">'
        yield from _layer(pieces[measure.index], measure.key)
        yield "</layer></staff>"
        for offset, symbol in symbols.get(measure.index, {}).items():
            beats = 1 + float(offset * (measure.meter or (4, 4))[1])
            yield f'<harm staff="1" tstamp="{beats:g}">{symbol}</harm>'
        yield "</measure>"
        following = None if last else measures[measure.index + 1]
        if measure.ending and (not following or following.bar.ending or not following.ending):
            yield "</ending>"
    yield "</section></score></mdiv></body></music></mei>"


def _signatures(key: Key | None, meter: Meter | None) -> str:
    written = ""
    if key:
        kind = "f" if key.sharps < 0 else "s" if key.sharps else ""
        written += f' keysig="{abs(key.sharps)}{kind}"'
    if meter:
        written += f' meter.count="{meter[0]}" meter.unit="{meter[1]}"'
    return written


def _pieces(measure: Measure) -> list[_Piece]:
    """Split the notes of a measure into pieces with one value each, and find tuplets and beams."""
    beam = Fraction(1, 2) if measure.meter == (4, 4) else beat(measure.meter)
    now = measure.missing
    numbers = iter(number for number, *_ in measure.notes())
    pieces: list[_Piece] = []
    for divided, notes in _tuplets(measure):
        ratio = (divided, 1 << (divided.bit_length() - 1)) if divided > 1 else None
        shrink = Fraction(*ratio) if ratio else Fraction(1)
        tuplet = -1 - len(pieces)
        for note in notes:
            number = -1 if note.pitch is None else next(numbers)
            left = note.duration * shrink
            for part in count():
                fitting = next((value for value in _VALUES if value[0] <= left), None)
                if fitting is None:
                    break
                value, name, dots = fitting
                left -= value
                place = tuplet if ratio else math.floor(now / beam)
                tied = note.tied or left > 0
                pieces.append(_Piece(number, part, note.pitch, name, dots, place, ratio, tied))
                now += value / shrink
    return pieces


def _tuplets(measure: Measure) -> Iterator[tuple[int, list[Note]]]:
    """Yield tuplets with their number (3 or 5), and notes outside tuplets alone, with 1.

    A tuplet is the shortest run of notes whose duration has no thirds or fifths.
    """
    run: list[Note] = []
    for note in measure.bar.notes:
        run.append(note)
        if _odd(sum(note.duration for note in run)) == 1:
            yield max(_odd(note.duration) for note in run), run
            run = []
    if run:
        yield max(_odd(note.duration) for note in run), run


def _odd(duration: Fraction | int) -> int:
    """Return the odd part of a duration's denominator."""
    below = Fraction(duration).denominator
    return below // (below & -below)


def _tie(pieces: list[_Piece]) -> None:
    """Keep only ties to a following piece of the same pitch."""
    for piece, following in pairwise(pieces):
        piece.tied = piece.tied and piece.pitch == following.pitch
        following.goes_on = piece.tied
    if pieces:
        pieces[-1].tied = False


def _layer(pieces: list[_Piece], key: Key) -> Iterator[str]:
    altered = dict[tuple[str, int], int]()
    for _, group in groupby(pieces, lambda piece: piece.group):
        together = list(group)
        if together[0].ratio:
            yield '<tuplet num="{}" numbase="{}">'.format(*together[0].ratio)
        for short, run in groupby(together, lambda piece: piece.pitch is not None and piece.short):
            heads = [_head(piece, key, altered) for piece in run]
            yield f"<beam>{''.join(heads)}</beam>" if short and len(heads) > 1 else "".join(heads)
        if together[0].ratio:
            yield "</tuplet>"


def _head(piece: _Piece, key: Key, altered: dict[tuple[str, int], int]) -> str:
    """Write a note or rest; `altered` holds the accidentals earlier in the bar."""
    value = f'dur="{piece.name}" dots="{piece.dots}"'
    if piece.pitch is None:
        return f"<rest {value}/>"
    letter, sharps, octave = key.spelling(piece.pitch)
    accidental = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}[sharps]
    known = altered.get((letter, octave), key.signature()[letter]) == sharps
    if not known and not piece.goes_on:
        altered[letter, octave] = sharps
    sign = "accid.ges" if known or piece.goes_on else "accid"
    tie = ("m" if piece.goes_on else "i") if piece.tied else "t" if piece.goes_on else ""
    return (
        f'<note xml:id="note-{piece.number}-{piece.part}" {value} pname="{letter.lower()}"'
        f' oct="{octave + 4}" {sign}="{accidental}"' + (f' tie="{tie}"/>' if tie else "/>")
    )
