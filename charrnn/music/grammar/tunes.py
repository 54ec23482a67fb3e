"""The plan of a whole tune: bars that the song machine counts, and sections that come back."""

from __future__ import annotations

from typing import NamedTuple

from charrnn.music.countdown import ALL_MARKS
from charrnn.music.grammar.bar import BarGrammar, BarState
from charrnn.music.grammar.caching import cached_method
from charrnn.music.grammar.constraint import Grammar, State
from charrnn.music.grammar.song import ANY, INNER, Song, SongState
from charrnn.music.grammar.tone import RANGE
from charrnn.music.grammar.words import Alphabet, Pitch
from charrnn.music.tune import Key, Meter

_UNMARKED = str.maketrans("", "", ALL_MARKS)


class TunePlace(NamedTuple):
    """Where in a tune a bar stands."""

    song: SongState
    sections: tuple[tuple[str, str], ...] = ()  # letters and texts of the form's sections so far
    due: str = ""  # what must come after a mark


class TunePlan:
    """Plans tunes: a section whose letter comes back in the form is due character by character."""

    def __init__(self, bars: BarGrammar, song: Song) -> None:
        self._bars = bars
        self._song = song
        self.start = State(TunePlace(song.start), self._begin(song.start))

    def next_bar(self, state: State[TunePlace]) -> State[TunePlace]:
        """Return the state at the beginning of the next bar."""
        (song, sections, due_after), bar, text, due = state
        line, form = bar.word, self._song.form
        plain = self._next(song, line, bar.rhythm.done, bar.tone.held)
        if not form:
            return plain
        after, begun = plain.place.song, plain.bar
        due = due or due_after
        if line in INNER:
            return self._state(after, sections, begun, text, due)
        if song.in_header or after.in_header:
            sections = ()
        else:
            sections = (*sections, (form[song.section].letter, text.removesuffix(line)))
        again = dict(sections).get(form[after.section].letter, "")
        due = again and again.translate(_UNMARKED) + self._song.closing_line(after.section)
        return self._state(after, sections, begun, "", due)

    def _state(
        self,
        song: SongState,
        sections: tuple[tuple[str, str], ...],
        bar: BarState,
        text: str,
        due: str,
    ) -> State[TunePlace]:
        """Return a state in which `due` must come next, after the mark of the bar if it has one."""
        if song.marked:
            return State(TunePlace(song, sections), bar, text, due)
        return State(TunePlace(song, sections, due), bar, text)

    @cached_method
    def _next(self, song: SongState, line: str, ticks: int, held: Pitch | None) -> State[TunePlace]:
        """Return the state at the beginning of the next bar of a tune without a form."""
        after = self._song.after(song, line, ticks)
        assert after is not None, "the line was allowed"
        return State(TunePlace(after), self._begin(after, held))

    def _begin(self, song: SongState, held: Pitch | None = None) -> BarState:
        return self._bars.begin(self._song.ends(song), song.key, held, first=song.owed == ANY)


def tune_grammar(
    alphabet: str,
    meter: Meter | None = None,
    key: Key | None = None,
    bars: int | None = None,
    form: str = "",
    pitches: range = RANGE,
    titles: bool = False,
    countdown: bool = False,
) -> Grammar[TunePlace]:
    """Return the constraint that a text is tunes in canonical ABC with the given properties.

    `bars` are counted as written, each repeat once. `form` has a letter for each section as it is
    played: two equal letters in a row are a repeat, and a letter that comes back is written again,
    character for character. The bars are divided evenly among the written sections, and all
    sections of a form have the same pick-up. Properties that are not given are left open. With
    `titles`, a tune may begin with a title; with `countdown`, each bar begins with a mark of the
    number of bars left in its section.

    Raises ConfigError for values that are out of range or contradict each other, and for tunes that
    cannot be written with `alphabet`.

    >>> alphabet = "\\n/1234568:ABCDEFGKM|]abcdefgjm-"
    >>> grammar = tune_grammar(alphabet, meter=(6, 8), key=Key("D"), bars=2)
    >>> grammar.check("M:6/8\\nK:Dmaj\\nd2fe2d|A3A3|]")
    """
    in_bar = BarGrammar(Alphabet(alphabet), pitches)
    song = Song(
        in_bar.alphabet,
        in_bar.rhythm.fills,
        in_bar.tone.can_begin,
        meter,
        key,
        bars,
        form,
        titles,
        countdown,
    )
    return Grammar(in_bar, TunePlan(in_bar, song))
