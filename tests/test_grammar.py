"""Whatever is drawn from what the grammar allows is a tune, as it was asked for.

The hardest draw is at random, with no network that would know better.
"""

import doctest
import os
import random
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

import charrnn.music.grammar
from charrnn.errors import ConfigError
from charrnn.music.abc import canonical, read_abc
from charrnn.music.grammar import KEYS, METERS, Grammar
from charrnn.music.tune import Key

ALPHABET = "\n#'(,-/0123456789:=ABCDEFGKMT[]^_abcdefghijlmnoprxyz|"


def walk(grammar, seed):
    """Draw a tune, each allowed character being as likely as another."""
    rng = random.Random(seed)
    state, text = grammar.start, ""
    while not text.endswith("\n\n"):
        mask = grammar.allowed(state)
        allowed = [c for c, may in zip(grammar.alphabet, mask.tolist(), strict=True) if may]
        assert allowed, f"a dead end: {text}"
        text += rng.choice(allowed)
        state = grammar.advance(state, text[-1])
        assert len(text) < 30_000
    return text


def read(text):
    """Return the one tune of canonical text, having seen that it adds up and is canonical."""
    (tune,) = read_abc(text).tunes
    assert tune.irregular_bars() == []
    assert canonical(tune) == text
    return tune


def written_bars(tune):
    """Count the bars: a pick-up and a first ending count nothing."""
    count, first_ending = 0, False
    for before, bar in zip((None, *tune.bars), tune.bars, strict=False):
        begins = before is None or bar.opens or before.repeats or before.closes
        first_ending = bar.ending == 1 or (first_ending and bar.ending != 2)
        if before is not None and before.repeats:
            first_ending = False
        pickup = begins and bar.duration < Fraction(*tune.meter) and not bar.closes
        count += not first_ending and not pickup
    return count


def section_texts(text):
    """Return the music between the lines that end sections, with whether it is repeated."""
    body = text.split("\n")[2]
    pieces = re.split(r"(:\|(?!2)|::|\|\||\|\]|\|:)", body)
    return [
        (piece, line in (":|", "::"))
        for piece, line in zip(pieces[::2], pieces[1::2], strict=False)
        if piece
    ]


# ---- drawn at random --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_without_a_request_the_model_has_the_choice(seed):
    tune = read(walk(Grammar(ALPHABET), seed))
    assert tune.meter in METERS
    assert tune.key in KEYS
    assert 1 <= written_bars(tune) <= 64


@pytest.mark.parametrize("meter", [*METERS, (1, 4), (3, 16), (15, 8), (4, 2)], ids=str)
def test_the_metre_is_the_one_asked_for(meter):
    grammar = Grammar(ALPHABET, meter=meter, bars=5)
    assert {read(walk(grammar, seed)).meter for seed in range(2)} == {meter}


@pytest.mark.parametrize("key", KEYS[::7], ids=str)
def test_the_key_is_the_one_asked_for(key):
    grammar = Grammar(ALPHABET, key=key, bars=5)
    assert {read(walk(grammar, seed)).key for seed in range(2)} == {key}


def test_all_keys_with_up_to_seven_accidentals_are_known():
    assert len(set(KEYS)) == 7 * 15
    assert {key.sharps for key in KEYS} == set(range(-7, 8))


@pytest.mark.parametrize("bars", [1, 2, 3, 8, 30, 100])
def test_the_number_of_bars_is_the_one_asked_for(bars):
    grammar = Grammar(ALPHABET, meter=(2, 4), bars=bars)
    assert {written_bars(read(walk(grammar, seed))) for seed in range(6)} == {bars}


@pytest.mark.parametrize("bars", [None, 12, 24])
@pytest.mark.parametrize("form", ["A", "AA", "AB", "AABB", "ABA", "AABA", "ABAC", "ABAB", "AABCAA"])
def test_the_form_is_the_one_asked_for(form, bars):
    grammar = Grammar(ALPHABET, meter=(3, 8), form=form, bars=bars)
    for seed in range(3):
        text = walk(grammar, seed)
        tune = read(text)
        texts = section_texts(text)
        runs = re.findall(r"((\w)\2*)", form)
        assert [repeated for _, repeated in texts] == [
            run == 2 * letter or "|1" in piece
            for (run, letter), (piece, _) in zip(runs, texts, strict=True)
        ]
        assert written_bars(tune) == (bars or written_bars(tune))
        assert written_bars(tune) % len(texts) == 0
        for (_, letter), (piece, _) in zip(runs, texts, strict=True):
            assert piece == next(t[0] for r, t in zip(runs, texts, strict=True) if r[1] == letter)


@pytest.mark.parametrize("seed", range(60))
def test_no_alphabet_leads_into_a_dead_end(seed):
    rng = random.Random(seed)
    lost = "".join(rng.sample("#'(,-/02345689:=[]^_ABCDEFGabcdefgz|", rng.randint(1, 12)))
    alphabet = "".join(c for c in ALPHABET if c not in lost)
    request = {
        "meter": rng.choice([None, None, (6, 8), (4, 4), (3, 4)]),
        "bars": rng.choice([None, 1, 4, 8]),
        "form": rng.choice(["", "", "AA", "AABB", "ABA"]) if seed % 2 else "",
    }
    try:
        grammar = Grammar(alphabet, **request)
    except ConfigError as error:
        assert re.search("lacks|bars is", str(error))
        return
    read(walk(grammar, seed))


@pytest.mark.skipif(not shutil.which("abc2midi"), reason="abc2midi is not installed")
def test_another_program_finds_all_bars_full(tmp_path):
    grammars = [Grammar(ALPHABET), Grammar(ALPHABET, bars=8), Grammar(ALPHABET, form="AABA")]
    tunes = [walk(grammar, seed) for grammar in grammars for seed in range(8)]
    files = []
    for number, tune in enumerate(tunes, 1):
        meter, key, body = tune.split("\n")[:3]
        files.append(f"X:{number}\nT:{number}\n{meter}\nL:1/8\n{key}\n{body}\n\n")
    (tmp_path / "walks.abc").write_text("".join(files))
    done = subprocess.run(["abc2midi", "walks.abc"], cwd=tmp_path, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    warnings = [line for line in lines if "Warning" in line or "Error" in line]
    assert [line for line in warnings if "Different length notes in tuple" not in line] == []
    assert len(list(tmp_path.glob("*.mid"))) == len(tunes)
