"""Music in ABC notation and how it sounds; the corpora of traditional tunes."""

import functools
import os
from fractions import Fraction
from pathlib import Path

from charrnn.music.abc_parser import read_abc

HEAD = "X:1\nT:Test\nM:4/4\nL:1/8\nK:C\n"

# Music after HEAD, and how it sounds: MIDI pitches with lengths in eighths (default 1); `z` is
# silence.
MUSIC = {
    "octaves": ("C,,C,CcC'c'c''", "36 48 60 72 72 84 96"),
    "lengths": (
        "C2 D/ E/2 F// G/4 A3/2 B3/ c4",
        "60:2 62:1/2 64:1/2 65:1/4 67:1/4 69:3/2 71:3/2 72:4",
    ),
    "rests": ("C z D2 x2 E", "60 z 62:2 z:2 64"),
    "rests that last bars": ("C8|Z2|D8|Z|E8", "60:8 z:16 62:8 z:8 64:8"),
    "spacers and backquotes": ("C`D y E y2 F", "60 62 64 65"),
    "accidentals hold to the bar line": ("^F F =F _B B|F B", "66 66 65 70 70 65 71"),
    "accidentals hold at all octaves": ("^c c' C", "73 85 61"),
    "double accidentals": ("^^F __B", "67 69"),
    "ties": ("C2-C D- D-|D E- F", "60:3 62:3 64 65"),
    "a tie carries the accidental": ("^c8-|c4 c4", "73:12 72:4"),
    "broken rhythm": (
        "C>D E<F G>>A B<<<c",
        "60:3/2 62:1/2 64:1/2 65:3/2 67:7/4 69:1/4 71:1/8 72:15/8",
    ),
    "broken rhythm between unequal notes": ("A3>B A>B>c A2<B", "69:3 71 69:3/2 71:1/2 72 69:2 71"),
    "broken rhythm over a bar line": ("A>|B", "69:3/2 71:1/2"),
    "broken rhythm without a second note": ("C A>", "60 69"),
    "triplets": ("(3CDE (3C2DE F", "60:2/3 62:2/3 64:2/3 60:4/3 62:2/3 64:2/3 65"),
    "tuplets": ("(2CD (4CDEF", "60:3/2 62:3/2 60:3/4 62:3/4 64:3/4 65:3/4"),
    "tuplets with q and r": (
        "(3:2:2A2B (3::2CD E (5:4CDEFG",
        "69:4/3 71:2/3 60:2/3 62:2/3 64 60:4/5 62:4/5 64:4/5 65:4/5 67:4/5",
    ),
    "five in two": ("(5CDEFG", "60:2/5 62:2/5 64:2/5 65:2/5 67:2/5"),
    "unknown tuplets": ("(1CD (0EF", "60 62 64 65"),
    "slurs": ("(CD) (E(F)G)", "60 62 64 65 67"),
    "chords": ("[CEG]2 [Gc]/ [C2E2] [c2E]", "67:2 72:1/2 64:2 72:2"),
    "tied chords": ("[CE]2-[CE] [C2-E2-][CE]", "64:3 64:3"),
    "ornaments in chords": ('[!f!C"Am"E]', "64"),
    "grace notes": ("{cd}C {/^f}F", "60 65"),
    "decorations": ("!fermata!C D !f!E uF vG", "60 62 64 65 67"),
    "chord symbols": ('"Am"C"^slow" D "F#m7/C#"E', "60 62 64"),
    "line breaks": ("C D\\\nE !\nF|!\nG", "60 62 64 65 67"),
    "comments": ("C D % E F\n% G\n%%A\nE", "60 62 64"),
    "lyrics": ("C D\nw: la la\nE", "60 62 64"),
    "meter and key changes": ("C8|[M:3/4][K:D]F6|\nK:F\nM:2/4\nB4|", "60:8 66:6 70:4"),
    "unit changes": ("C D [L:1/4] C D\nL:1/16\nC D", "60 62 60:2 62:2 60:1/2 62:1/2"),
    "repeats": ("|:C8|D8:|:E8:|", "60:8 62:8 60:8 62:8 64:8 64:8"),
    "double repeats": ("C8::D8::E8:|", "60:8 60:8 62:8 62:8 64:8 64:8"),
    "sloppy repeats": ("|:C8:||:D8:| |:E8:|", "60:8 60:8 62:8 62:8 64:8 64:8"),
    "a repeat from the beginning": ("C8||D8:|", "60:8 62:8 60:8 62:8"),
    "a repeat from the previous one": ("C8:|D8|E8:|", "60:8 60:8 62:8 64:8 62:8 64:8"),
    "a repeat from a double bar": ("C8:|D8||E8:|", "60:8 60:8 62:8 64:8 64:8"),
    "an unclosed repeat": ("|:C8|:D8:|", "60:8 60:8 62:8 62:8"),
    "endings": ("|:C8|1 D8:|2 E8|]", "60:8 62:8 60:8 64:8"),
    "endings in brackets": ("|:C8|[1 D8:| [2 E8||", "60:8 62:8 60:8 64:8"),
    "lists of endings": ("|:C8|1,3 D8:|2,4 E8|]", "60:8 62:8 60:8 64:8"),
    "a section after the endings": ("|:C8|1 D8:|2 E8|:F8:|", "60:8 62:8 60:8 64:8 65:8 65:8"),
}
# Music that abc2midi plays differently: it plays ornaments and voices, and misreads some repeats.
OURS = {
    "a repeat after the second ending": (
        "C8|1 D8:|2 E8||F8:|", "60:8 62:8 60:8 64:8 65:8 65:8"
    ),
    "a second ending with a repeat sign": ("|:C8|1 D8:|2 E8:|F8|]", "60:8 62:8 60:8 64:8 65:8"),
    "a first ending without a repeat sign": ("|:C8|1 D8|2 E8|]", "60:8 62:8 60:8 64:8"),
    "an ending for two repeats": ("|:C8|1,2 D8:|3 E8|]F8|", "60:8 62:8 60:8 64:8 65:8"),
    "three endings": ("|:C8|1 D8:|2 E8:|3 F8|]", "60:8 62:8 60:8 64:8"),
    "a first ending alone": ("|:C8|1 D8|]", "60:8 62:8"),
    "ornaments": ("!trill!C ~D TE +mordent+F .G", "60 62 64 65 67"),
    "voices": ("V:1\nC D\nV:2\nE F\nV:1\nG", "60 62 67"),
    "overlays": ("C2 & E2|F2", "60:2 65:2"),
    "unknown characters": ("C @ D ] E } #", "60 62 64"),
    "no bar line at the end of a line": ("^C8\nC8|^D4\nD4|F8\n|]", "61:8 60:8 63:4 63:4 65:8"),
    "an unclosed chord": ("C [EG D", "60 64 67 62"),
}  # fmt: skip
ALL = MUSIC | OURS

_TUNE = "X:1\nM:4/4\nL:1/8\n"
# Whole texts, and how their tune sounds.
TEXTS = {
    "a text block": (
        _TUNE + "%%begintext\nK:D\n%%endtext\nK:C\nC8|\n%%begintext\nDEF\n\nG\n%%endtext\nA8|\n",
        "60:8 69:8",
    ),
    "a PostScript block": (_TUNE + "K:C\nC8|\n%%beginps\nDEF\n%%endps\nA8|\n", "60:8 69:8"),
    "octave= in K:": (_TUNE + "K:D octave=-1\nFCG\n", "54 49 55"),
    "octave= in V:": (_TUNE + "V:1 octave=1\nK:C\nV:1\nCEG\n", "72 76 79"),
    "transpose= in K:": (_TUNE + "K:C transpose=2\nCEF [K:G] F^F|F\n", "62 66 67 68 68 68"),
    "transpose= in V:": (_TUNE + "V:1 transpose=-3\nK:C\nCEG\n", "57 61 64"),
    "transpose= in a V: of the body": (_TUNE + "K:C\n[V:1 transpose=3]CEG\n", "63 67 70"),
    "transpose= in K: and V:": (_TUNE + "K:C transpose=2\nV:1 transpose=3\nCEG\n", "65 69 72"),
    "an octave clef": (_TUNE + "K:C clef=treble-8\nCEG\n", "48 52 55"),
    "octave= with an octave clef": (_TUNE + "K:C clef=treble-8 octave=1\nCEG\n", "72 76 79"),
}

CANONICAL = [
    "M:6/8\nK:Dmaj\n|:A|d2fe2d|c2ec2A|1d3d2A:|2d3d2|]\n\n",
    "T:A title\nM:none\nK:F#min\nC2=C^E/4D3/4|F^EF,^E,|]\n\n",
    "M:3/4\nK:Gmaj\nG6|G6||[M:4/4][K:Gmin]B8|1^F8|]\n\n".replace("|1", "|"),
    "M:4/4\nK:Cmaj\nC2|:C8-|C8|1^c6:|2[K:Amin]^g6|:(3:2:2A2B(5:4:5ABcdez4|^f8-|^f8:|\n\n",
    "M:4/4\nK:Cmaj\n^cc'^c'2c2=c'2|]\n\n",
]


def read_one(text):
    (tune,) = read_abc(text).tunes
    return tune


def sounds(tune):
    """Return the notes as heard, written as in MUSIC."""
    heard, now = [], Fraction(0)
    for event in tune.events():
        if event.start > now:
            heard.append(("z", event.start - now))
        heard.append((str(event.pitch), event.duration))
        now = event.start + event.duration
    return " ".join(
        name if time == Fraction(1, 8) else f"{name}:{time * 8}" for name, time in heard
    )


def corpus_files():
    data = Path(os.environ["CHARRNN_DATA"])
    return [data / "irish.abc", *sorted((data / "nottingham").glob("*.abc"))]


@functools.cache
def corpus_tunes():
    return [tune for path in corpus_files() for tune in read_abc(path.read_text()).tunes]
