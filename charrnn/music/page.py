"""A self-contained HTML page that shows and plays tunes, without a network.

The template is page.html, the player player.js and player.css. Each tune adds its drawing and its
notes, which are numbers. Text by people or models is escaped, and the page's policy forbids other
scripts and all requests.
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

from charrnn.music.layout import beat, escaped, performance
from charrnn.music.piano_roll import piano_roll
from charrnn.music.tune import Tune, tempo_of

_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_TUNE = """\
<article data-length="{length}" data-beat="{beat}" data-notes="{notes}">
<h2>{title}</h2>
<p class="settings">{settings}</p>
<div class="controls">
<button type="button" class="play" aria-label="Play {title}"></button>
<input type="range" class="position" min="0" max="{length}" step="any" value="0"\
 aria-label="Position in {title}">
<label class="tempo">Tempo <input type="range" min="{slowest}" max="{fastest}" value="{tempo}">\
<output>{tempo} bpm</output></label>
</div>
<div class="score">
{svg}
</div>
<div class="more">
<table>{figures}</table>
<details><summary>ABC</summary>
<div><pre>{abc}</pre><button type="button" class="copy">Copy</button></div>
</details>
</div>
</article>"""


@dataclass(frozen=True)
class PageTune:
    """A tune as a page shows it."""

    title: str
    tune: Tune
    abc: str
    figures: Mapping[str, str] = field(default_factory=dict)  # names and values, in order
    settings: str = ""  # a line on how it was made
    svg: str = ""  # a drawing; by default the piano roll
    tempo: float | None = None  # quarter notes per minute; by default `tempo_of` the meter


def page(tunes: Sequence[PageTune], title: str = "Tunes") -> str:
    """Return the HTML page of the tunes."""
    script, looks = player()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _filled(
        _file("page.html"),
        script=script,
        looks=looks,
        policy=_POLICY.format(script=f"sha256-{digest}"),
        title=escaped(title),
        tunes="\n".join(map(_article, tunes)),
    )


def player() -> tuple[str, str]:
    """Return the script and the style of the player, for any page with articles as below."""
    return _file("player.js"), _file("player.css")


def _file(name: str) -> str:
    return files("charrnn.music").joinpath(name).read_text("utf-8")


def _article(shown: PageTune) -> str:
    notes = [
        (
            note.number,
            note.pitch,
            _float(note.start),
            _float(note.duration),
            _float(note.sounds),
            note.stress,
        )
        for note in performance(shown.tune)
    ]
    unit = beat(shown.tune.meter)
    tempo = round(tempo_of(shown.tune.meter, shown.tempo) / (4 * unit))
    return _TUNE.format(
        title=escaped(shown.title),
        settings=escaped(shown.settings),
        notes=json.dumps(notes, separators=(",", ":")),
        length=_float(
            sum((shown.tune.bars[index].duration for index in shown.tune.played()), Fraction(0))
        ),
        beat=_float(unit),
        tempo=tempo,
        slowest=min(40, tempo),
        fastest=max(240, tempo),
        svg=shown.svg or piano_roll(shown.tune),
        figures="".join(
            f'<tr><th scope="row">{escaped(name)}</th><td>{escaped(value)}</td></tr>'
            for name, value in shown.figures.items()
        ),
        abc=escaped(shown.abc),
    )


def _filled(template: str, **values: str) -> str:
    """Insert values into a template in one pass: braces inside values stay as they are."""
    return re.sub(
        r"\{(policy|title|tunes|script|looks)\}", lambda found: values[found[1]], template
    )


def _float(length: Fraction) -> float:
    return round(float(length), 6)
