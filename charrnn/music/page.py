"""A self-contained HTML page that shows and plays tunes, without a network.

The template is page.html; player.js and player.css play the tunes, page.js downloads, keeps and
discards them. Each tune adds its drawings, its notes, which are numbers, and its MIDI file. Text by
people or models is escaped, and the page's policy forbids other scripts and all requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.resources import files

from charrnn.music.layout import beat, escaped
from charrnn.music.performance import PLAIN, Style, accompaniment, performance
from charrnn.music.piano_roll import piano_roll
from charrnn.music.tune import Tune, tempo_of

_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_TUNE = """\
<article data-name="{name}" data-length="{length}" data-beat="{beat}" data-notes="{notes}"\
 data-strums="{strums}" data-midi="{midi}">
<h2>{title}</h2>
<p class="settings">{settings}</p>
<div class="controls">
<button type="button" class="play" aria-label="Play {title}"></button>
<input type="range" class="position" min="0" max="{length}" step="any" value="0"\
 aria-label="Position in {title}">
<label class="tempo">Tempo <input type="range" min="{slowest}" max="{fastest}" value="{tempo}">\
<output>{tempo} bpm</output></label>
{mute}\
</div>
<div class="score">
<div class="wide">{wide}</div>
<div class="narrow">{narrow}</div>
</div>
<div class="tools">
<div role="group" aria-label="Keep or discard {title}">
<button type="button" class="keep" aria-pressed="false" aria-label="Keep {title}">Keep</button>
<button type="button" class="discard" aria-pressed="false" aria-label="Discard {title}">Discard\
</button>
</div>
<div class="files" role="group" aria-label="Download {title}">
{files}
</div>
</div>
<div class="more">
<table>{facts}</table>
<div>
{figures}<details><summary>ABC</summary>
<div><pre>{abc}</pre><button type="button" class="copy">Copy ABC</button></div>
</details>
</div>
</div>
</article>"""

_FILE = '<button type="button" data-format="{format}" aria-label="Download {title}.{format}">\
.{format}</button>'
_MUTE = """\
<button type="button" class="chords" aria-pressed="true" aria-label="Chords of {title}">Chords\
</button>
"""
_FIGURES = "<details><summary>Figures</summary>\n<table>{figures}</table>\n</details>\n"


@dataclass(frozen=True)
class PageTune:
    """A tune as a page shows it."""

    title: str
    tune: Tune
    abc: str
    facts: Mapping[str, str] = field(default_factory=dict)  # names and values, in order
    figures: Mapping[str, str] = field(default_factory=dict)  # likewise, but folded away
    settings: str = ""  # a line on how it was made
    drawings: tuple[str, str] = ("", "")  # SVGs, the second for phones; by default piano rolls
    midi: bytes = b""  # the MIDI file to download
    style: Style = PLAIN  # how it is played
    tempo: float | None = None  # quarter notes per minute; by default `tempo_of` the meter


def page(tunes: Sequence[PageTune], title: str = "Tunes") -> str:
    """Return the HTML page of the tunes."""
    script, looks = player()
    script += _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    kept = hashlib.sha256("\0".join(shown.abc for shown in tunes).encode("utf-8", "replace"))
    return _filled(
        _file("page.html"),
        script=script,
        looks=looks,
        policy=_POLICY.format(script=f"sha256-{digest}"),
        title=escaped(title),
        id=kept.hexdigest()[:16],
        tunes="\n".join(_article(number, shown) for number, shown in enumerate(tunes, 1)),
    )


def player() -> tuple[str, str]:
    """Return the script and the style of the player, for any page with articles as below."""
    return _file("player.js"), _file("player.css")


def _file(name: str) -> str:
    return files("charrnn.music").joinpath(name).read_text("utf-8")


def _article(number: int, shown: PageTune) -> str:
    title = escaped(shown.title)
    notes = [
        (
            note.number,
            note.pitch,
            _float(note.start),
            _float(note.duration),
            _float(note.sounds),
            note.velocity,
        )
        for note in performance(shown.tune, shown.style)
    ]
    formats = ("abc", "mid", "wav") if shown.midi else ("abc", "wav")
    wide, narrow = shown.drawings
    strums = [
        (strum.pitches, _float(strum.start), _float(strum.sounds), strum.velocity)
        for strum in accompaniment(shown.tune, shown.style)
    ]
    unit = beat(shown.tune.meter)
    tempo = round(tempo_of(shown.tune.meter, shown.tempo) / (4 * unit))
    return _TUNE.format(
        title=title,
        name=f"{number:02}",
        settings=escaped(shown.settings),
        notes=json.dumps(notes, separators=(",", ":")),
        strums=json.dumps(strums, separators=(",", ":")),
        mute=_MUTE.format(title=title) if strums else "",
        length=_float(
            sum((shown.tune.bars[index].duration for index in shown.tune.played()), Fraction(0))
        ),
        beat=_float(unit),
        tempo=tempo,
        slowest=min(40, tempo),
        fastest=max(240, tempo),
        wide=wide or piano_roll(shown.tune),
        narrow=narrow or piano_roll(shown.tune, narrow=True),
        facts=_rows(shown.facts),
        figures=_FIGURES.format(figures=_rows(shown.figures)) if shown.figures else "",
        files="\n".join(_FILE.format(format=format, title=title) for format in formats),
        midi=base64.b64encode(shown.midi).decode(),
        abc=escaped(shown.abc),
    )


def _rows(values: Mapping[str, str]) -> str:
    return "".join(
        f'<tr><th scope="row">{escaped(name)}</th><td>{escaped(value)}</td></tr>'
        for name, value in values.items()
    )


def _filled(template: str, **values: str) -> str:
    """Insert values into a template in one pass: braces inside values stay as they are."""
    return re.sub(
        r"\{(policy|title|id|tunes|script|looks)\}", lambda found: values[found[1]], template
    )


def _float(length: Fraction) -> float:
    return round(float(length), 6)
