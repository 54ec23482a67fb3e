"""Every text that the grammar allows is a tune with the requested properties.

The hardest case is a random draw, without a network that knows better.
"""

import os
import random
import re
import subprocess
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest

from charrnn.errors import ConfigError
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical
from charrnn.music.grammar.header import KEYS, METERS
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.tune import Key
from tests.helpers import compares_with, needs_data
from tests.music.grammar.walks import ALPHABET, walk


def read(text):
    """Return the tune of a text after checking that its bars add up and it is canonical."""
    (tune,) = read_abc(text).tunes
    assert tune.irregular_bars() == []
    assert canonical(tune, title=True) == text
    return tune


def written_bars(tune):
    """Count the bars without pick-ups and first endings."""
    count, first_ending = 0, False
    for before, bar in zip((None, *tune.bars), tune.bars, strict=False):
        first_ending = bar.ending == 1 or (first_ending and not before.repeats)
        begins = before is None or bar.opens or before.repeats or before.closes
        short = bar.duration < Fraction(*tune.meter) and not bar.closes
        count += not first_ending and not (begins and short and not bar.ending)
    return count


def section_texts(text):
    """Return the music of each section, and whether it is repeated."""
    body = text.split("\n")[2].removeprefix("|:")
    pieces = re.split(r"(:\|(?!2)|::|\|\||\|\]|\|:)", body)[:-1]
    lines = zip(pieces[::2], pieces[1::2], strict=True)
    return [(piece, ":" in line[:1] or "|1" in piece) for piece, line in lines]


# ---- drawn at random --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_without_requests_the_model_chooses(seed):
    tune = read(walk(tune_grammar(ALPHABET), seed))
    assert tune.meter in METERS
    assert tune.key in KEYS
    assert 1 <= written_bars(tune) <= 64


@pytest.mark.parametrize("form", ["", "AABA"])
def test_a_tune_may_begin_with_any_title(form):
    grammar = tune_grammar(ALPHABET + " %\\é!", form=form, titles=True)
    titles = [read(walk(grammar, seed)).title for seed in range(12)]
    assert "" in titles
    assert max(map(len, titles)) > 40
    assert any("\\" in title for title in titles)
    without = tune_grammar(ALPHABET.replace("T", ""), titles=True)
    assert without.start.place == tune_grammar(ALPHABET).start.place


def test_titles_are_allowed_only_on_request():
    titled = "T:100\\% Fun: Part 2\n" + JIG
    alphabet = "".join(sorted(set(ALPHABET + titled)))
    tune_grammar(alphabet, titles=True).check(titled)
    tune_grammar(alphabet, titles=True).check(JIG)
    for wrong in ("T:\n", "T: A\n", "T:A  B\n", "T:A \n", "T:A%\n", "T:|A\n", "T:A\nT:B\n"):
        with pytest.raises(ConfigError, match="character"):
            tune_grammar(alphabet, titles=True).check(wrong + JIG)
    with pytest.raises(ConfigError, match="character 1 of the prompt cannot be 'T'"):
        tune_grammar(alphabet).check(titled)


@pytest.mark.parametrize("meter", [*METERS, (1, 4), (3, 16), (15, 8), (4, 2)], ids=str)
def test_the_requested_meter_is_kept(meter):
    grammar = tune_grammar(ALPHABET, meter=meter, bars=2)
    assert read(walk(grammar, 1)).meter == meter


@pytest.mark.parametrize("key", KEYS[::7], ids=str)
def test_the_requested_key_is_kept(key):
    grammar = tune_grammar(ALPHABET, meter=(2, 4), key=key, bars=4)
    assert read(walk(grammar, 1)).key == key


@pytest.mark.parametrize("bars", [1, 2, 3, 8, 30])
def test_the_requested_number_of_bars_is_kept(bars):
    grammar = tune_grammar(ALPHABET, meter=(2, 8), bars=bars)
    assert {written_bars(read(walk(grammar, seed))) for seed in range(6)} == {bars}


@pytest.mark.parametrize("bars", [None, 12, 24])
@pytest.mark.parametrize("form", ["A", "AA", "AB", "AABB", "ABA", "AABA", "ABAC", "ABAB", "AABCAA"])
def test_the_requested_form_is_kept(form, bars):
    grammar = tune_grammar(ALPHABET, meter=(3, 8), form=form, bars=bars)
    for seed in range(2):
        text = walk(grammar, seed)
        sections = section_texts(text)
        letters = [(run[0], len(run) == 2) for run, _ in re.findall(r"((\w)\2*)", form)]
        assert [repeats for _, repeats in sections] == [repeats for _, repeats in letters]
        first = {}
        for (letter, _), (music, _) in zip(letters, sections, strict=True):
            assert first.setdefault(letter, music) == music
        count = written_bars(read(text))
        assert count == bars or (bars is None and count % len(sections) == 0)


@pytest.mark.parametrize("seed", range(40))
def test_no_alphabet_leads_to_a_dead_end(seed):
    rng = random.Random(seed)
    lost = "".join(rng.sample("#'(,-/02345689:=[]^_ABCDEFGabcdefgz|", rng.randint(1, 12)))
    alphabet = "".join(c for c in ALPHABET if c not in lost)
    request = {
        "meter": rng.choice([None, None, (6, 8), (4, 4), (3, 4)]),
        "bars": rng.choice([1, 2, 4, 6]),
        "form": rng.choice(["", "", "AA", "AABB", "ABA"]) if seed % 2 else "",
    }
    with suppress(ConfigError):  # a dead end is another error
        grammar = tune_grammar(alphabet, **request)
        read(walk(grammar, seed))


@compares_with("abc2midi")
def test_another_program_finds_all_bars_full(tmp_path):
    grammars = [tune_grammar(ALPHABET, bars=8), tune_grammar(ALPHABET, bars=6, form="AABA")]
    tunes = [walk(grammar, seed) for grammar in grammars for seed in range(6)]
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


# ---- texts that people wrote -------------------------------------------------------------------

JIG = "M:6/8\nK:Dmaj\n|:A|d2fe2d|(3ABcde=c2-|=c2BA3|1d3d2:|2d3d2|:f|a2bg2e|f3f2:|"


def test_a_jig_with_every_feature_of_the_notation():
    tune_grammar(ALPHABET).check(JIG)
    tune_grammar(ALPHABET, meter=(6, 8), key=Key("D"), bars=6).check(JIG)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("d2fe2d|", "d2fe2|"),  # a short bar
        ("d2fe2d|", "d2fe2d2|"),  # a long bar
        ("|:A|", "|:A2|"),  # a pick-up that the end does not complete
        ("e2d", "e4/2d"),  # not in lowest terms
        ("e2d", "e1/2d3/2"),
        ("e2d", "^f2d"),  # an accidental already in force
        ("c2-|=c", "c2-|=d"),  # a tie to another pitch
        ("-|=c2", "-|c2"),
        ("(3ABc", "(3:2:3ABc"),
        ("(3ABc", "(3A3Bc"),
        (":|2d3", ":|d3"),  # a second ending without a sign
        ("|:f|", "f|"),
        ("K:Dmaj", "K:D"),
        ("|:A|", "|:z|"),  # a tune begins with a note
        ("f3f2:|", "f3f2|"),
        ("f3f2:|", "f3f2:|d"),
    ],
)
def test_a_bar_is_rejected_at_the_first_character_that_makes_it_irregular(right, wrong):
    assert JIG.count(right) >= 1
    with pytest.raises(ConfigError, match=r"character \d+ of the prompt cannot be .*; .* allow "):
        tune_grammar(ALPHABET).check(JIG.replace(right, wrong, 1))


def test_an_error_names_the_position_and_the_allowed_characters():
    grammar = tune_grammar("\n/24:CKM]abcdefgjm|", meter=(2, 4), bars=1)
    message = r"character 16 of the prompt cannot be 'e' after 'M:2/4\\nK:Cmaj\\na4'; .* allow '\|'"
    with pytest.raises(ConfigError, match=message):
        grammar.check("M:2/4\nK:Cmaj\na4e4|]")


def test_forbidden_characters_cannot_be_written():
    grammar = tune_grammar(ALPHABET)
    with pytest.raises(ConfigError, match="cannot"):
        grammar.advance(grammar.start, "K")


@pytest.mark.slow
@needs_data
def test_people_s_tunes_are_accepted():
    folder = os.environ["CHARRNN_DATA"]
    texts = []
    for file in ("nottingham/jigs.abc", "nottingham/reelsa-c.abc", "nottingham/waltzes.abc"):
        for tune in read_abc((Path(folder) / file).read_text("utf-8")).tunes:
            if not tune.irregular_bars() and not any(bar.meter or bar.key for bar in tune.bars):
                texts.append(canonical(tune))
    grammar = tune_grammar("".join(sorted(set("".join(texts)))))
    refused = 0
    for text in texts:
        try:
            grammar.check(text)
        except ConfigError:
            refused += 1
    assert len(texts) > 300
    assert refused < 0.05 * len(texts)  # divided or short bars, opening rests


# ---- requests that cannot be met ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"meter": (6, 8)}, "cannot write the meter M:6/8: the alphabet lacks '6'"),
        ({"key": Key("F#")}, "cannot write the key K:F#maj: the alphabet lacks '#'"),
        ({"form": "A"}, "cannot write these tunes: the alphabet lacks ']'"),
        ({"form": "ABA", "bars": 16}, "form ABA has 3 .* multiple of 3, such as 15 or 18; got 16"),
        ({"form": "AAA"}, "form must be .* got 'AAA'"),
        ({"form": "aab"}, "form must be .* got 'aab'"),
        ({"bars": 0}, "bars must be between 1 and 256, got 0"),
        ({"bars": 1000}, "bars must be between 1 and 256, got 1000"),
        ({"meter": (5, 32)}, "cannot fill a bar: the alphabet lacks '4'"),
        ({"meter": (4, 3)}, r"meter must be .* got '4/3'"),
        ({"meter": (0, 4)}, r"meter must be .* got '0/4'"),
        ({"meter": (40, 4)}, r"meter must be .* got '40/4'"),
    ],
    ids=str,
)
def test_invalid_requests_are_errors(asked, message):
    lacking = re.findall("lacks '(.)'", message)
    alphabet = "".join(c for c in ALPHABET if c not in lacking)
    with pytest.raises(ConfigError, match=message):
        tune_grammar(alphabet, **asked)
