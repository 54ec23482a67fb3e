"""Marks in the training text: written for people's tunes, and kept by the grammar."""

import random

import pytest

from charrnn.errors import ConfigError
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from charrnn.music.countdown import ALL_MARKS, LAST_MARKS, countdown, unmarked
from charrnn.music.grammar.tunes import tune_grammar
from tests.helpers import needs_data
from tests.music.abc_examples import corpus_tunes
from tests.music.grammar.walks import ALPHABET, walk

MARKED = "".join(sorted({*ALPHABET, *ALL_MARKS}))


def marks(music):
    (tune,) = read_abc(f"X:1\nM:2/4\nL:1/8\nK:C\n{music}\n").tunes
    return "".join(countdown(tune))


def test_without_marks_the_text_is_that_of_a_tune_without_marks():
    (tune,) = read_abc("T:Hill\nM:2/4\nK:Gmin\nd4|c4|[K:Ddor]d4|[M:3/4]e6|]\n").tunes
    marked = canonical(tune, True, countdown(tune))
    assert unmarked(marked) == canonical(tune, True) != marked


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("c4|d4|e4|]", "LKJ"),  # three bars, two, one
        ("|:c4|d4::e4|f4:|", "kjKJ"),  # capitals in the last section
        ("G|c4|d3|]", "KKI"),  # the last bar is short by an eighth
        ("GA|c4|d2|]", "KKH"),  # ... by more
        ("|:c4|1d4:|2e4|]", "KJJ"),  # each ending counts for itself
        ("|:" + "c4|" * 16 + "d4:|", "W" * 4 + LAST_MARKS[-2:1:-1]),  # fourteen or more
    ],
)
def test_marks_count_down_to_the_end_of_a_section(music, expected):
    assert marks(music) == expected


def test_marked_text_is_abc_of_the_same_tune():
    text = "M:2/4\nK:Cmaj\n|:G|c4|d3::[K:Gmaj]z|c4|1d3:|2e3|]\n\n"
    (tune,) = read_abc(text).tunes
    (again,) = read_abc(canonical(tune, marks=countdown(tune))).tunes
    assert again.bars == tune.bars


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "request_",
    [{}, {"bars": 7}, {"bars": 40}, {"form": "AABA"}, {"form": "ABAC", "bars": 24}, {"form": "A"}],
    ids=str,
)
def test_the_grammar_keeps_the_countdown(request_, seed):
    grammar = tune_grammar(MARKED, (2, 8), countdown=True, **request_)
    text = walk(grammar, seed)
    (tune,) = read_abc(text).tunes
    assert tune.irregular_bars() == []
    assert canonical(tune, marks=countdown(tune)) == text


@pytest.mark.parametrize("seed", range(20))
def test_no_alphabet_leads_to_a_dead_end_in_a_countdown(seed):
    rng = random.Random(seed)
    lost = set(rng.sample(ALL_MARKS, rng.randint(1, 20)))
    alphabet = "".join(sorted({*ALPHABET} | ({*ALL_MARKS} - lost)))
    request = {"bars": rng.choice([None, 4, 20]), "form": rng.choice(["", "AABB"])}
    try:
        grammar = tune_grammar(alphabet, (2, 8), countdown=True, **request)
    except ConfigError:
        assert {"H", "I", "J"} <= lost
        return
    (tune,) = read_abc(walk(grammar, seed)).tunes
    assert tune.irregular_bars() == []


@pytest.mark.slow
@needs_data
def test_people_s_tunes_keep_the_countdown():
    tunes, rejected = corpus_tunes()[::25], 0
    for tune in tunes:
        meter = f"M:{tune.meter[0]}/{tune.meter[1]}" if tune.meter else ""
        if tune.irregular_bars() or not meter or any(bar.key or bar.meter for bar in tune.bars):
            continue
        text = canonical(tune, marks=countdown(tune))
        try:
            tune_grammar("".join(sorted({*MARKED, *text})), countdown=True).check(text)
        except ConfigError:
            rejected += 1
    assert rejected < 0.1 * len(tunes)
