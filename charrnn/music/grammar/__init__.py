"""A grammar of tunes: which characters may come next, so that every bar adds up.

The grammar knows the canonical text that `charrnn.music.abc_writer` writes. It allows a character
only if some complete tune in the given alphabet continues with it, so sampling never reaches a dead
end.

A tune is a sequence of words, such as a pitch, a length or a bar line. Three machines decide which
words may come next. Each has states, values that its methods take and return:

    Rhythm (rhythm.py)  how much of the bar is filled, and the open tuplet; lengths advance it.
                        It rejects a bar of the wrong length.
    Tone (tone.py)      the accidentals in force and the open tie; pitches advance it
    Song (song.py)      sections, endings and the number of bars; header lines and bar lines
                        advance it

Reading order: words.py, rhythm.py and tone.py; bar.py, which combines the two within one bar;
constraint.py, which turns bars that follow a plan into a constraint for sampling. There are two
plans: tunes.py for whole tunes (song.py, header.py and form.py), gaps.py for bars inside a tune.

States recur all the time, so each machine remembers what its methods returned (caching.py). States
of rhythm, tone and bar are compared by identity, which keeps the caches fast; each machine makes
one instance for each value. No state is ever modified, but most are not frozen dataclasses, because
making those takes several times as long.

Time is counted in ticks, 32 to a whole note. A set of times, or of characters, is an integer: bit t
is set if t is in the set.
"""
