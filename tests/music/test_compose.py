"""Tunes from a model: requests are honored, however little the model knows."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.errors import CharRNNError, ConfigError
from charrnn.inference.sampling import SamplingOptions, collected, draw
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical, write_abc
from charrnn.music.compose import CANDIDATES, _headers, compose
from charrnn.music.dataset import TuneReading
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.metrics import CopyIndex, Sample, melody
from charrnn.music.repetition import Refrain
from charrnn.music.transpose import to_tonic
from charrnn.music.tune import Key
from charrnn.rng import HEADERS, generator
from charrnn.text.loading import read
from tests.helpers import assert_refused

TUNES = "".join(
    f"X:{n}\nT:Tune {n}\nM:6/8\nL:1/8\nK:{key}\n"
    f"|:{low}2{high} {low}{high}{low}|{high}3 {low}3|{low}{high}{low} {high}2{low}|{low}3 z3:|\n\n"
    for n, (key, low, high) in enumerate(
        (key, low, high)
        for key in ("D", "Em", "G")
        for low, high in ("Ad", "Be", "cf", "dg", "GB", "EA", "FA", "DB", "DG", "ce")
    )
)


@pytest.fixture(scope="module")
def tunes_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tunes") / "tunes.abc"
    path.write_text(TUNES, "utf-8")
    return path


@pytest.fixture(scope="module")
def model_file(tunes_file, model_of_tunes):
    """A model that has hardly been trained: the grammar must do the rest."""
    return model_of_tunes(tunes_file, hidden_size=24, max_steps=60)


@pytest.fixture
def model(model_file):
    return load(model_file)


def test_a_corpus_of_tunes_has_documents_on_one_tonic(tunes_file):
    corpus = read(tunes_file)
    assert corpus.reading == TuneReading()
    (text,) = corpus.texts
    assert {line for line in text.splitlines() if line[:2] == "K:"} <= {"K:Cmaj", "K:Cmin"}
    assert "T:" not in text
    assert text.endswith("\n\n")


def test_duplicates_in_other_keys_are_skipped(tmp_path):
    abc = "X:1\nM:2/4\nL:1/8\nK:{}\n{}|]\n\n"
    (tmp_path / "a.abc").write_text(abc.format("C", "CDEF|G4"), "utf-8")
    (tmp_path / "b.abc").write_text(abc.format("D", "DEFG|A4"), "utf-8")
    (tmp_path / "read.me").write_text("no tune", "utf-8")
    corpus = read(tmp_path)
    assert corpus.texts[0].count("M:") == 1
    assert any("skipped 1 duplicate tune" in notice for notice in corpus.notices)


def test_tunes_and_prose_cannot_be_mixed(tunes_file, tmp_path):
    prose = tmp_path / "prose.txt"
    prose.write_text("prose", "utf-8")
    with pytest.raises(CharRNNError, match=r"prose\.txt does not contain tunes"):
        read([tunes_file, prose])


@pytest.mark.parametrize("seed", range(3))
def test_requests_are_honored(model, seed):
    key = Key("D")
    tunes = compose(
        model, 4, meter=(6, 8), key=key, bars=8, form="AABB", temperature=1.2, seed=seed
    )
    assert len(tunes) == 4
    for tune in tunes:
        assert (tune.meter, tune.key) == ((6, 8), key)
        assert not tune.irregular_bars()
        full = [bar for bar in tune.bars if bar.duration == 0.75 and bar.ending != 2]
        assert sum(bar.repeats for bar in tune.bars) == 2
        assert len(full) <= 8
        assert read_abc(write_abc([tune])).tunes[0].fingerprint() == tune.fingerprint()


def test_the_same_seed_gives_the_same_tunes(model):
    one, two, other = (compose(model, 2, seed=seed) for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize(("on_tonic", "best"), [(1, "Cc"), (0, "EG")])
def test_tunes_end_on_the_tonic_as_often_as_the_training_tunes(model, monkeypatch, on_tonic, best):
    reading = model.training.reading
    facts = {**reading.facts, "on_tonic": on_tonic}
    training = replace(model.training, reading=replace(reading, facts=facts))
    model = replace(model, training=training)
    headers = ["M:2/4\nK:Cmaj\n", "M:4/4\nK:Cmin\n"]

    def drawn(_checkpoint, prompts, *_, costs=None, **_options):
        if costs is None:
            return [(index, header + "|:CDE") for index, header in enumerate(headers)]
        assert prompts == [header for header in headers for _ in range(CANDIDATES)]
        costs[:] = [4, 2, 1, 2, 5, 5, 5, 5, 1, 3, 2, 2, 9, 9, 9, 9]
        return [(index, f"{note}4|]") for index, note in enumerate("CDEFABcdGABcdefg")]

    monkeypatch.setattr("charrnn.music.compose.draw", drawn)
    tunes = compose(model, 2)
    assert [tune.meter for tune in tunes] == [(2, 4), (4, 4)]
    notes = [canonical(to_tonic(tune)).split("\n")[2][0] for tune in tunes]
    assert "".join(notes) == best  # and of those, the one that the grammar constrained least


def test_without_the_grammar_only_texts_that_parse_are_tunes(model, monkeypatch):
    texts = ["M:2/4\nK:Cmaj\nC4|]", "", "M:2/4\nC4|]"]
    monkeypatch.setattr("charrnn.music.compose.draw", lambda *_, **__: enumerate(texts))
    (tune,) = compose(model, 3, constrained=False)
    assert canonical(tune) == texts[0] + "\n\n"


def test_headers_are_drawn_only_until_all_are_complete(model, monkeypatch):
    constraint = Refrain(tune_grammar(model.tokenizer.alphabet))
    options, rng = SamplingOptions(seed=3), generator(3, HEADERS)
    whole = collected(8, draw(model, [""] * 8, 120, options, rng, constraint=constraint))
    drawn = Counter()

    def counted(*arguments, **options):
        for index, text in draw(*arguments, **options):
            drawn[index] += len(text)
            yield index, text

    monkeypatch.setattr("charrnn.music.compose.draw", counted)
    headers = _headers(model, [constraint] * 8, options, attempt=0)
    for header, text in zip(headers, whole, strict=True):
        assert re.fullmatch(r"M:.+\nK:.+\n", header)
        assert text.startswith(header)
    assert max(drawn.values()) <= max(map(len, headers)) + 2


def test_tunes_begin_with_the_prompt(model):
    tunes = compose(model, 2, prompt="M:6/8\nL:1/8\nK:D\nA2d AdA|d3 A3|", seed=1)
    for tune in tunes:
        assert str(tune.key) == "Dmaj"
        assert canonical(tune).startswith(
            ("M:6/8\nK:Dmaj\nA2dAdA|d3A3|", "M:6/8\nK:Dmaj\n|:A2dAdA")
        )


def test_without_a_key_keys_are_as_frequent_as_in_the_training_tunes(model):
    reading = model.training.reading
    # The model cannot write the mode "loc": only held-out tunes have it.
    facts = {**reading.facts, "keys": {"Dmaj": 1, "Emin": 2, "Gmin": 3, "Bloc": 9}}
    reading = replace(reading, facts=facts)
    model = replace(model, training=replace(model.training, reading=reading))
    tunes = compose(model, 60, bars=1, temperature=0.5, seed=4)
    keys = Counter(str(tune.key) for tune in tunes)
    assert sorted(keys, key=keys.__getitem__) == ["Dmaj", "Emin", "Gmin"]
    assert keys["Dmaj"] > 4


@pytest.mark.parametrize(
    ("pitches", "low", "high"),
    [("D4-B5", 62, 83), ("voice", 57, 76), (range(67, 80), 67, 79), (None, 62, 79)],
)
def test_no_note_is_outside_the_range(model, pitches, low, high):
    """By default the range is that of the training tunes."""
    tunes = compose(model, 6, pitches=pitches, temperature=1.5, seed=2)
    assert {low <= event.pitch <= high for tune in tunes for event in tune.events()} == {True}


def test_a_repeat_that_the_prompt_opens_is_closed(model):
    for tune in compose(model, 3, prompt="M:6/8 K:D |:D3 D3|", seed=1):
        assert tune.bars[0].opens
        assert tune.bars[tune.sections()[0][-1]].repeats


def test_a_range_is_widened_by_the_prompt_unless_it_is_requested(model):
    prompt = "M:6/8\nL:1/8\nK:Bb\nB,2F FB,F|B,3 F3|"
    assert compose(model, prompt=prompt, seed=1)[0].events()[0].pitch == 58
    with pytest.raises(ConfigError, match="the prompt has notes outside pitches D4-G5"):
        compose(model, prompt=prompt, pitches="D4-G5")


def test_max_copy_limits_the_notes_shared_with_the_corpus(model, tunes_file):
    others = read_abc(tunes_file.read_text("utf-8")).tunes
    index = CopyIndex(others)
    for tune in compose(model, 2, bars=8, against=Sample(others), max_copy=12, temperature=1.5):
        match = index.longest(melody(tune))
        assert match is None or match.notes <= 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "count must be between 1 and 12,500, got 0"),
        ({"count": 12_501}, "count must be between 1 and 12,500, got 12,501"),
        ({"bars": 7, "form": "AABB"}, "form AABB has 2 .* bars must be a multiple of 2"),
        ({"prompt": "ABc"}, "no key"),
        ({"prompt": "M:17/16\nK:C\nC"}, "the prompt is written with '.', which .* tunes lack"),
        ({"max_copy": 5}, "tunes to compare with"),
        ({"constrained": False, "bars": 8}, "constrained=False cannot be combined with bars"),
        ({"meter": (7, 16)}, "7/16"),
        ({"pitches": "tuba"}, "pitches must be one of fiddle.* got 'tuba'"),
        ({"pitches": "B5-D4"}, "got 'B5-D4'"),
        ({"pitches": "E4-A4", "key": "D"}, "pitches E4-A4 fits no tune in Dmaj"),
    ],
)
def test_invalid_arguments_are_errors(model, options, words):
    with pytest.raises(ConfigError, match=words):
        compose(model, **options)


def test_a_model_of_prose_cannot_compose(cli, corpus_file):
    cli("train", corpus_file, "--max-steps", 2, "--hidden-size", 8, "-o", "prose.safetensors")
    result = cli("compose", "prose.safetensors")
    assert result.code == 2
    assert "was not trained on tunes" in result.err
    assert "seed" not in result.err


def test_compose_writes_all_files_and_a_page(cli, model_file, tmp_path):
    result = cli("compose", model_file, "-n", 2, "--key", "Em", "--seed", 1, "-o", "out")
    assert result.code == 0, result.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"0{n}.{kind}" for n in (1, 2) for kind in ("abc", "mid", "wav", "svg")} | {
        "index.html"
    }
    assert "K:Emin" in (tmp_path / "out" / "01.abc").read_text("utf-8")
    assert (tmp_path / "out" / "01.wav").read_bytes()[:4] == b"RIFF"


def test_without_a_folder_compose_prints_abc(cli, model_file):
    result = cli("compose", model_file, "--seed", 1)
    assert read_abc(result.out).tunes
    assert result.err == ""


def test_several_temperatures_are_used_in_turn_and_named_in_the_titles(cli, model_file, model):
    arguments = ("compose", model_file, "-n", 2, "--seed", 1)
    several = read_abc(cli(*arguments, "-t", "0.5,1.2").out).tunes
    assert [tune.title for tune in several] == [
        f"Tune {number} (temperature {temperature})"
        for number, temperature in enumerate(("0.5", "0.5", "1.2", "1.2"), 1)
    ]
    expected = [t for each in (0.5, 1.2) for t in compose(model, 2, temperature=each, seed=1)]
    assert [tune.bars for tune in several] == [tune.bars for tune in expected]
    assert read_abc(cli(*arguments, "-t", "0.5").out).tunes[0].title == ""


def test_chords_are_added_by_rule(cli, model_file, tmp_path):
    result = cli("compose", model_file, "--seed", 1, "--chords")
    plain = cli("compose", model_file, "--seed", 1)
    assert read_abc(result.out).tunes == read_abc(plain.out).tunes
    assert '"' in result.out
    assert "chords selected by rule" in result.err
    assert cli("compose", model_file, "--seed", 1, "--chords", "-o", "out").code == 0
    assert (tmp_path / "out" / "01.abc").read_text() == result.out
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "chords by rule" in page
    assert ">Chords</button>" in page


def test_every_temperature_has_its_tunes_in_the_folder(cli, model_file, tmp_path):
    arguments = ("--seed", 1, "-t", "0.5,1.2", "-o", "warm", "--formats", "abc")
    assert cli("compose", model_file, *arguments).code == 0
    assert {path.name for path in (tmp_path / "warm").iterdir()} == {
        "01.abc",
        "02.abc",
        "index.html",
    }
    assert "temperature 0.5, 1.2" in (tmp_path / "warm" / "index.html").read_text("utf-8")
    (tmp_path / "cold").mkdir()
    (tmp_path / "cold" / "02.abc").write_text("mine")
    result = cli("compose", model_file, "-t", "0.5,1.2", "-o", "cold")
    assert_refused(result, 1, "02.abc already exists")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("-t", "0.7,-1"), 2, "--temperature must be at least 0 and finite, got -1.0"),
        (("-t", "0.7,"), 2, "'' is not a valid float"),
        (("--swing", "5", "-o", "x"), 2, "--swing must be between 1 and 2.5, got 5"),
        (("--chords", "--rewrite", "1", "--prompt-file", "x"), 2, "combined with --chords"),
        (("--swing", "2"), 2, "--swing needs a folder; name one with --out"),
    ],
)
def test_invalid_values_fail_before_the_model_is_read(cli, options, code, words):
    assert_refused(cli("compose", "missing.safetensors", *options), code, words)


def test_assess_prints_figures_and_json(cli, tunes_file):
    result = cli("assess", tunes_file, "--against", tunes_file)
    assert "bars that add up" in result.out
    assert "8-note runs" in result.out
    assert cli("assess", tunes_file, "--json").out.startswith('{"figures"')


@pytest.mark.parametrize(("sign", "meter"), [("C|", (2, 2)), ("6/8", (6, 8))])
def test_a_meter_is_stated_by_its_sign_or_its_numbers(cli, model_file, sign, meter):
    result = cli("compose", model_file, "--meter", sign, "--bars", 2, "--seed", 1)
    assert read_abc(result.out).tunes[0].meter == meter


def test_a_tune_of_a_file_is_continued(cli, model_file, tmp_path):
    """The first one, unless --tune selects another."""
    begun = ("X:1\nM:6/8\nK:D\nD3 D3|\n", "X:5\nM:6/8\nK:G\nG3 G2A|\n")
    (tmp_path / "begun.abc").write_text("\n".join(begun), "utf-8")
    options = ("--prompt-file", "begun.abc", "--seed", 1)
    for number, text in ((None, begun[0]), (1, begun[0]), (2, begun[1])):
        choice = () if number is None else ("--tune", number)
        result = cli("compose", model_file, *options, *choice)
        assert result.code == 0, result.err
        tune = read_abc(result.out).tunes[0]
        bars = read_abc(text).tunes[0].bars
        assert [bar.notes for bar in tune.bars[: len(bars)]] == [bar.notes for bar in bars]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tune", 3), "--tune is 3, but begun.abc has only 2 tunes"),
        (("--tune", 0), "--tune must be at least 1, got 0"),
    ],
)
def test_a_tune_that_a_file_lacks_is_an_error(cli, model_file, tmp_path, options, words):
    (tmp_path / "begun.abc").write_text("X:1\nK:D\nD8|\n\nX:2\nK:G\nG8|\n", "utf-8")
    result = cli("compose", model_file, "--prompt-file", "begun.abc", *options)
    assert (result.code, result.out) == (2, "")
    assert words in result.err.splitlines()[-1]


def test_a_tune_without_a_file_is_an_error(cli, model_file):
    result = cli("compose", model_file, "--tune", 2)
    assert "--tune needs a file of tunes; name it with --prompt-file" in result.err


def test_convert_keeps_the_tune(cli, tunes_file, tmp_path):
    assert cli("convert", tunes_file, "one.mid", "--tune", 3).code == 0
    assert cli("convert", "one.mid", "one.abc").code == 0
    third = read_abc(tunes_file.read_text("utf-8")).tunes[2]
    back = read_abc((tmp_path / "one.abc").read_text("utf-8")).tunes[0]
    assert [(e.pitch, e.start, e.duration) for e in back.events()] == [
        (e.pitch, e.start, e.duration) for e in third.events()
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("x.abc", "y.abc"), "does not exist"),
        (("{tunes}", "y.mid"), ".mid files hold one tune, but there are 30; select"),
        (("{tunes}", "y.doc"), "unknown format"),
        (("{tunes}", "y.mid", "--tune", "99"), "--tune is 99"),
    ],
)
def test_invalid_conversions_are_errors(cli, tunes_file, arguments, words):
    result = cli("convert", *(argument.format(tunes=tunes_file) for argument in arguments))
    assert result.code in (1, 2)
    assert words in result.err
    assert "Traceback" not in result.err
