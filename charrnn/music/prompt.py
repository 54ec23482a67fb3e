"""The beginning of a tune, as people state it, and as the text that a model continues.

People write ABC, in which each field of the header has a line of its own, or paste the preview of a
model, which has everything in one line:

    M:6/8 K:D |:A2d fdA|G2
"""

from __future__ import annotations

import re
from dataclasses import replace

from charrnn.errors import ConfigError
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from charrnn.music.countdown import FULL, countdown
from charrnn.music.dataset import TuneReading
from charrnn.music.grammar.form import section_size
from charrnn.music.grammar.form import sections as sections_of_form
from charrnn.music.grammar.song import known_marks
from charrnn.music.grammar.words import Alphabet
from charrnn.music.structure import pickups_of
from charrnn.music.tune import Tune

EIGHT = 8  # bars in most sections
# A space; where the width of a terminal divides the line, a row begins with four.
_SPACE = r"(?:[ \t]|\n[ ]{4})"
# A field in brackets; K: with a key, and with words such as clef=treble; any other field.
_FIELD = re.compile(
    rf"""
      \s*+
      (?: \[(?P<inline>[A-Za-z]:[^\[\]\n]*+)\]
        | (?P<key>K:{_SPACE}*+
            (?:none|HP|Hp|[A-G][#b]?m?(?:{_SPACE}*(?i:maj|min|ion|dor|phr|lyd|mix|aeo|loc)[a-z]*+)?)
            (?:{_SPACE}++[a-z]++=\S++)*+
          )(?=[\s|:\[]|\Z)
        | (?P<other>[A-JL-Za-z]:(?![|:])
            (?:(?!{_SPACE}\[?[A-Za-z]:(?![|:]))(?:.|\n[ ]{{4}}))*+
          )
      )
    """,
    re.VERBOSE,
)
_NEXT_TUNE = re.compile(rf"(?<=[|\]]){_SPACE}++(?=[TM]:\S)")


def as_text(prompt: str) -> str:
    """Return a prompt as the text of a tune in ABC; raises ConfigError for one without a key.

    Music in the same line as K: is that of a preview, hence canonical, and only the first tune.

    >>> as_text("M:6/8 K:Dmaj |:A2d fdA|G2"), as_text("[M:2/4][K:D] d2|")
    ('M:6/8\\nK:Dmaj\\n|:A2d fdA|G2', 'M:2/4\\nK:D\\nd2|')
    """
    fields, place = [""], 0
    while fields[-1][:1] != "K" and (found := _FIELD.match(prompt, place)):
        fields.append(" ".join(found[found.lastgroup or 0].split()))
        place = found.end()
    line, *others = re.split(r"\n(?![ ]{4})", prompt[place:])
    if fields[-1][:1] == "K" and ("|" in line or not "".join(others).strip()):
        music = _NEXT_TUNE.split(prompt[place:])[0].replace("\n    ", "")
        return "\n".join([*fields[1:], music.lstrip()])
    if "K:" not in prompt:
        raise ConfigError("the prompt has no key; begin it with fields such as M:6/8 and K:D")
    header = "" if prompt.startswith("X:") else "X:1\n"
    return header + prompt + ("\n" if prompt.endswith(":") else "")


def begun_by(text: str) -> Tune:
    """Return the tune that the text of a prompt begins. A repeat that is not closed yet is open,
    while a complete tune would lack it.

    >>> [bar.opens for bar in begun_by("M:2/4\\nK:C\\n|:c4:|d4|:e4|f2").bars]
    [True, False, True, False]
    """
    parsed = read_abc(text)
    tune, spans = parsed.tunes[0], parsed.spans[0]
    for index in reversed(range(len(spans))):
        end = spans[index - 1].end if index else text.index("K:")
        line = text[end : spans[index].start]
        if "|:" in line or "::" in line:
            opened = replace(tune.bars[index], opens=True)
            return replace(tune, bars=(*tune.bars[:index], opened, *tune.bars[index + 1 :]))
        if ":|" in line:
            break
    return tune


def require_regular(begun: Tune) -> None:
    """Raise ConfigError unless the bars of a prompt add up; the last one may be incomplete."""
    if irregular := begun.irregular_bars():
        bar = begun.numbers()[irregular[0]]
        raise ConfigError(
            f"bar {bar} of the prompt does not add up; correct it, end the prompt before it, or "
            "compose without the grammar"
        )


def opening(
    begun: Tune,
    prompt: str,
    reading: TuneReading,
    bars: int | None,
    form: str,
    alphabet: Alphabet,
) -> str:
    """Return the canonical text of the tune in the key in which the model reads it, without the
    final bar line that the prompt does not have.

    If nothing is requested, the section in which the prompt ends has the next multiple of EIGHT
    bars, or as many as the model knows, and it is the last from the second on.
    """
    prompt = prompt.rstrip()
    planned = sections_of_form(form)
    sections, pickups = begun.sections(), pickups_of(begun)
    written = [
        sum(index not in pickups and begun.bars[index].ending != 2 for index in section)
        for section in sections
    ]
    closed = prompt.endswith((":|", "::", "||"))
    known = known_marks(alphabet)
    if size := section_size(bars, planned):
        size -= 0 if planned else sum(written[:-1])
    else:
        eights = -(-(written[-1] + 1) // EIGHT) * EIGHT
        size = max(written[-1] + 1, min(eights, max(map(len, known)) - FULL))
    last = not closed and (len(sections) == (len(planned) or 2) or bool(bars and not planned))
    marks = countdown(begun, 0 if closed else max(0, size - written[-1]), last, known)
    home = reading.placed(begun)
    text = canonical(home, reading.keep_titles, marks if reading.countdown else ())
    text = text.rstrip("\n")
    if prompt.endswith(("|", "]")):
        return text if text.endswith(":|") else text.removesuffix("|]") + ("||" if closed else "|")
    return text.removesuffix("|]").removesuffix(":|")
