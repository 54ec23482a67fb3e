"""A folder of tunes: files for each tune, and a page that shows and plays them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from charrnn.checkpoints.atomic import write_atomically
from charrnn.errors import CharRNNError
from charrnn.music.abc_writer import write_abc
from charrnn.music.metrics import FIGURES, Sample, measure
from charrnn.music.page import PageTune, page
from charrnn.music.tune import Tune
from charrnn.music.writers import drawing, written


def write_folder(
    folder: str | Path,
    tunes: Sequence[Tune],
    *,
    formats: Sequence[str] = ("abc", "mid", "wav", "svg"),
    texts: Sequence[str] | None = None,
    encoding: str = "utf-8",
    against: Sample | None = None,
    title: str = "Tunes",
    settings: str = "",
) -> Path:
    """Write each tune as 01.abc, 01.mid and so on, and index.html; return the path of that page.

    `formats` are those of `charrnn.music.writers.WRITERS`. `texts` are the tunes in ABC, by default
    the result of `write_abc`, and `encoding` is that of the .abc files. The page has a `title`,
    figures of each tune, compared with `against`, and under each tune a line with the `settings`.

    Raises CharRNNError if the folder cannot be created, and ConfigError for an unknown format.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CharRNNError(f"cannot create the folder {folder}: {error.strerror}") from None
    shown = []
    for number, tune in enumerate(tunes, 1):
        abc = texts[number - 1] if texts is not None else write_abc([tune])
        svg = drawing(tune)
        made = {"abc": abc.encode(encoding), "svg": svg.encode()}
        for name in formats:
            data = made[name] if name in made else written([tune], name)
            write_atomically(Path(folder, f"{number:02}.{name}"), data)
        heading = tune.title or f"Tune {number}"
        figures = _figures(Sample([tune], against))
        shown.append(PageTune(heading, tune, abc, figures, settings, svg))
    index = Path(folder, "index.html")
    write_atomically(index, page(shown, title).encode())
    return index


def _figures(sample: Sample) -> dict[str, str]:
    """Return the labels and values of the figures of one tune."""
    return {
        FIGURES[name].label: format(value, FIGURES[name].format)
        for name, value in measure(sample).items()
        if name != "tunes" and value is not None
    }
