"""Tunes as a training text: the user's options, which a model file stores."""

import json
import os
import re
from itertools import product
from pathlib import Path

import pytest

from charrnn import Limits, ModelConfig, TrainConfig, Trainer, TuneReading, load, read
from charrnn.errors import ConfigError, CorpusError
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical, write_abc
from charrnn.music.compose import compose
from charrnn.music.dataset import TuneFacts, collect
from charrnn.music.formats import read_all
from charrnn.music.infill import rewrite
from charrnn.music.midi_io import write_midi
from charrnn.music.transpose import in_all_keys
from charrnn.music.tune import Key
from charrnn.training.resume import reading_of_run
from tests.helpers import needs_data


def jig(n, low, high):
    """A tune with a distinct rhythm; every third has no repeat."""
    beats = [f"{low}2{high}" if n >> bit & 1 else f"{low}{high}{low}" for bit in range(5)]
    begin, end = ("", "|]") if n % 3 == 0 else ("|:", ":|")
    return (
        f"X:{n}\nT:The {low}{high} Jig, 100\\% new\nM:6/8\nL:1/8\n"
        f"K:{('D', 'Em', 'F#', 'G')[n % 4]}\n"
        f"{begin}{''.join(beats[:2])}|{''.join(beats[2:4])}|{beats[4]} {high}3|{low}3 z3{end}\n\n"
    )


MUSIC = "".join(jig(n, *pitches) for n, pitches in enumerate(product("DEFGA", "Bcdef")))
SHORT = "X:99\nT:Too short\nM:6/8\nL:1/8\nK:D\nABc|defga|fedcB|ABc def|]\n\n"
TINY = ("--hidden-size", 24, "--max-steps", 30, "--batch-size", 4, "--seq-len", 32, "--workers", 1)
CONFIG = ModelConfig(hidden_size=24)
TRAIN = TrainConfig(seq_len=32, batch_size=4)


@pytest.fixture
def tunes(tmp_path):
    path = tmp_path / "tunes.abc"
    path.write_text(MUSIC + SHORT, "utf-8")
    return path


def trained(corpus, out=None, steps=30):
    trainer = Trainer.new(corpus, CONFIG, train=TRAIN, limits=Limits(max_steps=steps), out=out)
    for _ in trainer.run():
        pass
    return trainer


def without_meter(data):
    """The MIDI file without its time signature, an event of six bytes after a delta time."""
    at = data.index(b"\xff\x58")
    length = data.rindex(b"MTrk", 0, at) + 4
    size = int.from_bytes(data[length : length + 4], "big") - 8
    return data[:length] + size.to_bytes(4, "big") + data[length + 4 : at - 1] + data[at + 7 :]


def keys_of(text):
    return set(re.findall("^K:(.*)$", text, re.MULTILINE))


def texts_of(encoded, tokenizer):
    return tokenizer.decode(encoded.ids).split("\n\n")[:-1]


# ---- what is read --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transpose", "keys"),
    [
        ("tonic", {"Cmaj", "Cmin"}),
        ("none", {"Dmaj", "Emin", "F#maj", "Gmaj"}),
        ("all", {"Dmaj", "Emin", "Gbmaj", "Gmaj"}),  # twelve keys, each with one name
    ],
)
def test_tunes_are_transposed_as_requested(tunes, transpose, keys):
    corpus = read(tunes, reading=TuneReading(transpose))
    assert keys_of(corpus.texts[0]) == keys
    assert corpus.reading == TuneReading(transpose)


def test_titles_are_kept_on_request(tunes):
    titles = re.findall("^T:(.*)$", MUSIC, re.MULTILINE)
    text = read(tunes, reading=TuneReading(keep_titles=True)).texts[0]
    assert sorted(re.findall("^T:(.*)$", text, re.MULTILINE)) == sorted(titles)
    assert "T:" not in read(tunes).texts[0]


def test_irregular_tunes_are_counted_and_kept_on_request(tunes):
    kept, without = read(tunes, reading=TuneReading(keep_irregular=True)), read(tunes)
    assert kept.texts[0].count("K:") == without.texts[0].count("K:") + 1
    assert "kept 1 tune whose bars do not add up" in kept.notices
    assert "skipped 1 tune whose bars do not add up" in without.notices


def test_notices_stay_short_for_any_number_of_files(tmp_path):
    for number, (low, high) in enumerate(product("DEF", "Bcde"), 1):
        tune = jig(number, low, high).replace("|]", '"A" !trill!|]').replace(":|", "~(:|")
        (tmp_path / f"{number:02}.abc").write_text(f"{tune}X:2\nM:odd\nK:C\nC|]\n", "utf-8")
        data = write_midi(read_abc(jig(number, high, low)).tunes[0])
        (tmp_path / f"m{number:02}.mid").write_bytes(data)
    (tmp_path / "bad.mid").write_bytes(b"no music")

    *unread, more, aside, repeats, kept = read(tmp_path).notices
    assert [Path(line.split(":")[0]).name for line in unread] == [
        f"{number:02}.abc" for number in range(1, 6)
    ]
    assert more == "skipped 8 more tunes or files"
    assert aside == (
        "24 files: ignored 12 ornaments, 8 slurs and 4 chord symbols (not part of the melody)"
    )
    assert repeats == "8 of 24 files: treated repeated passages as repeated sections"
    assert kept.startswith("24 tunes, ")

    (tmp_path / "m01.mid").write_bytes(without_meter(data))
    (tmp_path / "m02.mid").write_bytes(without_meter(data))
    notices = read([tmp_path / "m01.mid"]).notices, read(sorted(tmp_path.glob("m0?.mid"))).notices
    assert [found[0] for found in notices] == [
        f"{tmp_path / 'm01.mid'}: no meter in the file; assumed 4/4",
        "2 of 9 files: no meter in the file; assumed 4/4",
    ]


def test_a_preview_is_abc_without_marks_up_to_a_bar_line():
    (tune,) = read_abc(jig(1, "D", "B")).tunes
    plain, marked = TuneReading(bar_marks="none"), TuneReading()
    assert marked.text(tune) != plain.text(tune)
    shown = marked.preview(marked.text(tune)[:60])
    assert shown.endswith("|")
    assert plain.text(tune).startswith(shown)
    assert marked.preview("M:6/8\nK:Cm") == "M:6/8\nK:Cm"


def test_a_midi_file_beside_an_abc_file_of_the_same_name_is_skipped_in_a_folder(tmp_path):
    (tmp_path / "1.abc").write_text(jig(1, "D", "B"), "utf-8")
    other = write_midi(read_abc(jig(2, "E", "c")).tunes[0])
    for name in ("1.mid", "2.mid"):
        (tmp_path / name).write_bytes(other)
    found = read(tmp_path)
    assert found.names == (str(tmp_path / "1.abc"), str(tmp_path / "2.mid"))
    notice = "skipped 1 file that repeats an .abc file of the same name"
    assert found.notices[0] == f"{notice} ({tmp_path / '1.mid'})"
    named = read([tmp_path / "1.abc", tmp_path / "1.mid"])
    assert len(named.names) == 2


@pytest.mark.parametrize("transpose", ["tonic", "all", "none"])
def test_duplicates_in_other_keys_or_with_other_titles_are_skipped(tmp_path, transpose):
    abc = "X:1\nT:{}\nM:2/4\nL:1/8\nK:{}\n{}|]\n\n"
    file = tmp_path / "twice.abc"
    file.write_text(abc.format("One", "C", "CDEF|G4") + abc.format("Two", "D", "DEFG|A4"))
    text = read(file, reading=TuneReading(transpose, keep_titles=True)).texts[0]
    assert text.count("T:") == text.count("T:One") == 1


def test_a_title_that_looks_like_music_survives_writing_and_reading():
    (tune,) = read_abc("X:1\nT: |: a % b\nK:C\nCDEF|]").tunes
    text = canonical(tune, title=True)
    assert (
        canonical(read_abc(text).tunes[0], title=True) == text == "T:a\nM:4/4\nK:Cmaj\nCDEF|]\n\n"
    )


# ---- training in all keys ------------------------------------------------------------------------


@pytest.mark.parametrize("keep_titles", [False, True])
def test_only_the_training_part_comes_in_twelve_keys(tunes, keep_titles):
    own = trained(read(tunes, reading=TuneReading("none", keep_titles)), steps=1)
    every = trained(read(tunes, reading=TuneReading("all", keep_titles)), steps=1)
    learnt = texts_of(every.data.text, every.data.tokenizer)
    held_out = texts_of(every.data.valid, every.data.tokenizer)
    assert len(learnt) == 12 * len(texts_of(own.data.text, own.data.tokenizer))
    assert len(learnt) / 12 + len(held_out) == MUSIC.count("X:")
    heard = [read_abc(text + "\n\n").tunes[0] for text in learnt]
    copies = {}
    for tune in heard:
        copies.setdefault(tune.fingerprint(), set()).add(tune.key.pitch_class)
    assert all(len(keys) == 12 for keys in copies.values())
    for text in held_out:
        assert read_abc(text + "\n\n").tunes[0].fingerprint() not in copies
        assert ("T:" in text) == keep_titles
    assert {bool(tune.title) for tune in heard} == {keep_titles}


def test_a_validation_file_stays_in_its_own_keys(tunes, tmp_path):
    other = tmp_path / "other.abc"
    other.write_text("X:1\nM:6/8\nK:D\nDED FED|D6|]\n\n", "utf-8")
    reading = TuneReading("all")
    trainer = Trainer.new(
        read(tunes, reading=reading), CONFIG, train=TRAIN, valid=read(other, reading=reading)
    )
    assert len(texts_of(trainer.data.valid, trainer.data.tokenizer)) == 1


def test_transposing_prose_to_all_keys_is_an_error(tunes):
    corpus = read(tunes, reading=TuneReading("all"))
    with pytest.raises(CorpusError, match="needs whole tunes"):
        Trainer.new(corpus, CONFIG, train=TrainConfig(documents="lines"))


def test_a_run_in_all_keys_resumes_bit_for_bit(tunes, tmp_path):
    corpus, out = (
        read(tunes, reading=TuneReading("all", keep_titles=True)),
        tmp_path / "m.safetensors",
    )
    whole = trained(corpus)
    trainer = Trainer.new(corpus, CONFIG, train=TRAIN, limits=Limits(max_steps=30), out=out)
    for report in trainer.run():
        if report.step == 11:
            trainer.stop()
    resumed = Trainer.resume(read(tunes, reading=reading_of_run(out)), out)
    for _ in resumed.run():
        pass
    assert resumed.parameters.flat.tobytes() == whole.parameters.flat.tobytes()
    assert load(out).reading == TuneReading("all", keep_titles=True)


# ---- a model's reading goes with it --------------------------------------------------------------


def test_a_model_file_stores_how_its_tunes_were_read(cli, tunes):
    options = ("--transpose", "none", "--keep-titles", "--keep-irregular")
    result = cli("train", tunes, *TINY, *options, "-o", "m.safetensors")
    assert result.code == 0, result.err
    assert "26 tunes, in the keys as written" in result.err
    assert "kept 1 tune whose bars do not add up" in result.err
    assert result.err.splitlines()[-2] == "charrnn: to compose tunes:"
    shown = re.sub(" +", " ", cli("info", "m.safetensors").out)
    for line in (" transpose none\n", " keep_titles yes\n", " keep_irregular yes\n"):
        assert line in shown
    reading = json.loads(cli("info", "m.safetensors", "--json").out)["training"]["reading"]
    assert reading["documents"] == "tunes"
    assert TuneReading(**reading["settings"]) == TuneReading("none", True, True)

    held_out = cli("evaluate", "m.safetensors", tunes, "--split", "valid")
    assert held_out.code == 0, held_out.err
    assert "26 tunes, in the keys as written" in held_out.err
    assert "not the text that the model was trained on" not in held_out.err

    on = cli("train", tunes, *TINY, "--init-from", "m.safetensors", "-o", "on.safetensors")
    assert on.code == 0, on.err
    other = cli(
        *("train", tunes, *TINY, "--init-from", "m.safetensors", "-o", "other.safetensors"),
        *("--transpose", "tonic"),
    )
    assert other.code == 0, other.err
    folder = tunes.parent
    assert load(folder / "on.safetensors").reading == TuneReading("none", True, True)
    assert load(folder / "other.safetensors").reading == TuneReading("tonic", True, True)


def test_a_resumed_run_keeps_its_reading_and_rejects_another(cli, tunes):
    run = ("train", tunes, "--workers", 1, "-o", "m.safetensors")
    assert cli(*run, *TINY[:-2], "--transpose", "all").code == 0
    on = cli(*run, "--resume", "--max-steps", 40)
    assert on.code == 0, on.err
    assert "resuming from step 30" in on.err
    for option, value in (("--transpose", "none"), ("--transpose", "tonic")):
        refused = cli(*run, "--resume", "--max-steps", 50, option, value)
        assert refused.code == 2
        assert f"--transpose cannot change from all to {value} on resume" in refused.err
    titles = cli(*run, "--resume", "--max-steps", 50, "--keep-titles")
    assert titles.code == 2
    assert "--keep-titles cannot change from False to True on resume" in titles.err


def test_resuming_with_prose_or_a_damaged_file_is_an_error_in_one_line(cli, tunes, corpus_file):
    assert cli("train", tunes, *TINY, "-o", "m.safetensors").code == 0
    other = cli("train", corpus_file, "--resume", "-o", "m.safetensors")
    assert "not the corpus that m.safetensors was trained on, or it has changed" in other.err
    nothing = cli("train", tunes, "--resume", "-o", "none.safetensors")
    assert "none.safetensors does not exist" in nothing.err


@pytest.mark.parametrize(
    "option",
    [
        ("--transpose", "all"),
        ("--keep-titles",),
        ("--keep-irregular",),
    ],
)
def test_options_for_tunes_do_not_apply_to_prose(cli, corpus_file, tmp_path, option):
    result = cli("train", corpus_file, *TINY, *option, "-o", "prose.safetensors")
    assert result.code == 2
    assert f"{option[0]} applies only to tunes" in result.err
    assert not list(tmp_path.glob("*.safetensors"))


def test_info_on_a_model_of_prose_does_not_mention_tunes(cli, model_file):
    assert "transpose" not in cli("info", model_file).out


def test_unknown_values_of_a_reading_are_errors():
    with pytest.raises(ConfigError, match="transpose must be one of tonic, all, none; got 'some'"):
        TuneReading("some")


def test_a_model_file_stores_facts_about_its_tunes(cli, tunes):
    assert cli("train", tunes, *TINY, "-o", "m.safetensors").code == 0
    facts = TuneFacts.parsed(load("m.safetensors").training.reading.facts)
    assert facts == TuneFacts.of(collect(read_all([tunes]).tunes).tunes)
    assert {str(key) for key in facts.keys} == {"Dmaj", "Emin", "F#maj", "Gmaj"}
    assert facts.on_tonic == 8 / 25
    assert TuneFacts.parsed({}) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"keys": {"Dmaj": 1}},
        {"keys": {"Dmaj": 1}, "range": [70, 60]},
        {"keys": {"Dmaj": 1}, "range": [0, 10**9]},
        {"keys": {"Dmaj": 0}, "range": [60, 70]},
        {"keys": ["Dmaj"], "range": [60, 70]},
        {"keys": {"Dmaj": 1}, "range": [60, 70], "on_tonic": 1.5},
        {"keys": {"Dmaj": 1}, "range": [60, 70], "on_tonic": "most"},
        {"keys": {"Xmaj": 1}, "range": [60, 70]},
    ],
    ids=str,
)
def test_damaged_facts_are_an_error(facts):
    with pytest.raises(ConfigError):
        TuneFacts.parsed(facts)


# ---- composing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("transpose", ["all", "none"])
@pytest.mark.parametrize("key", [Key("D"), Key("E", "min"), Key("F#")], ids=str)
def test_tunes_are_composed_in_the_key_in_which_the_model_reads(tunes, transpose, key):
    model = trained(read(tunes, reading=TuneReading(transpose))).checkpoint()
    asked = TuneReading(transpose).placed(read_abc(f"K:{key}\nC").tunes[0]).key
    for tune in compose(model, 3, meter=(6, 8), key=key, bars=4, seed=1):
        assert (tune.meter, tune.key, tune.irregular_bars()) == ((6, 8), key, [])
    assert asked.pitch_class == key.pitch_class


def test_a_model_on_one_tonic_composes_in_any_key_and_others_in_keys_they_can_write(tunes):
    on_c = trained(read(tunes)).checkpoint()
    assert compose(on_c, key=Key("Bb"), seed=1)[0].key == Key("Bb")
    own = trained(read(tunes, reading=TuneReading("none"))).checkpoint()
    with pytest.raises(ConfigError, match="cannot write the key K:Ephr"):
        compose(own, key=Key("E", "phr"), seed=1)


@pytest.mark.parametrize("transpose", ["all", "none"])
def test_bars_are_rewritten_in_the_key_in_which_the_model_reads(tunes, transpose):
    model = trained(read(tunes, reading=TuneReading(transpose, keep_titles=True))).checkpoint()
    text = "X:1\nT:Ω\nM:6/8\nL:1/8\nK:G\nG2B GBG|d3 G3|GBG d2G|G3 z3|]\n"
    (version,) = rewrite(model, text, bars=(2, 3), seed=1)
    (tune,) = read_abc(version).tunes
    assert (tune.key, tune.irregular_bars()) == (Key("G"), [])
    assert version.startswith(text[: text.index("|") + 1])
    assert version.endswith("G3 z3|]\n")


@pytest.mark.parametrize("form", ["", "AABA"])
def test_tunes_have_titles_if_the_model_learned_titles(tunes, form):
    model = trained(
        read(tunes, reading=TuneReading("none", keep_titles=True)), steps=60
    ).checkpoint()
    composed = compose(model, 8, form=form, temperature=1.2, seed=1)
    assert len(composed) == 8
    assert any(tune.title for tune in composed)
    for tune in composed:
        assert not tune.irregular_bars()
        assert read_abc(write_abc([tune])).tunes[0] == tune


def test_a_title_appears_in_the_file_and_on_the_page(cli, tunes, tmp_path):
    assert cli("train", tunes, *TINY, "--keep-titles", "-o", "m.safetensors").code == 0
    begun = "T:The new Jig\nM:6/8\nK:D\nD2B DBD|"
    result = cli("compose", "m.safetensors", "--prompt", begun, "-o", "out")
    assert result.code == 0, result.err
    assert "T:The new Jig\n" in (tmp_path / "out" / "01.abc").read_text("utf-8")
    assert "The new Jig" in (tmp_path / "out" / "index.html").read_text("utf-8")


# ---- the tunes of people -------------------------------------------------------------------------


@pytest.mark.slow
@needs_data
def test_people_s_tunes_can_be_read_with_every_option(tmp_path):
    source = Path(os.environ["CHARRNN_DATA"]) / "nottingham" / "jigs.abc"
    file = tmp_path / "jigs.abc"
    file.write_text(source.read_text("utf-8")[:20_000], "utf-8")
    tonic, own, every = (
        read(file, reading=TuneReading(way, bar_marks="none")) for way in ("tonic", "none", "all")
    )
    counts = {corpus.texts[0].count("\n\n") for corpus in (tonic, own, every)}
    assert len(counts) == 1  # every option skips the duplicates
    assert {key[0] for key in keys_of(tonic.texts[0])} == {"C"}
    assert len(keys_of(own.texts[0])) > 3
    learnt = list(in_all_keys(text + "\n\n" for text in own.texts[0].split("\n\n")[:-1]))
    assert len(learnt) == 12 * counts.pop()
    for text in learnt[::7]:
        assert canonical(read_abc(text).tunes[0]) == text
