"""Rewritten bars: they fit in their places, and no other byte changes."""

import os
import random
import re
from pathlib import Path

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.errors import CharRNNError, ConfigError, CorpusError
from charrnn.music.abc_parser import read_abc
from charrnn.music.dataset import TuneReading
from charrnn.music.infill import log_likelihoods, rewrite
from tests.helpers import needs_data

LEARNT = "".join(
    f"X:{n}\nM:4/4\nL:1/8\nK:{key}\n"
    f"|:{low}2{high}{low} {low}{high}{low}{low}|{high}4 {low}4|{low}{high} {high}3/2{low}/ z4:|\n\n"
    for n, (key, low, high) in enumerate(
        (key, low, high)
        for key in ("D", "Em")
        for low, high in zip("AcGDEF", "degGBA", strict=True)
    )
)
LEARNT += "X:99\nM:4/4\nL:1/8\nK:C\nC,^DE,F GABc|=defg a=b^fc'|]\n"
TUNE = """\
% a comment before
X: 7
T: The  Example
M:4/4
L:1/4
K:D % in D
A|: "D"d2 fd | e2 ge|f2 {g}af  |% a remark
1 ed c2 :|2 e c d :|   !
w: and words
[|g2 bg|^g2- | g2 e2|
(3faf e2 d>e|] fed |]

% the end
"""


@pytest.fixture(scope="module")
def model_file(tmp_path_factory, model_of_tunes):
    """A model that has hardly been trained, without tuplets and changes of key."""
    path = tmp_path_factory.mktemp("model") / "tunes.abc"
    path.write_text(LEARNT, "utf-8")
    return model_of_tunes(path, hidden_size=16, max_steps=40)


@pytest.fixture
def model(model_file):
    return load(model_file)


@pytest.fixture
def tune_file(tmp_path):
    path = tmp_path / "tune.abc"
    path.write_text(TUNE, "utf-8")
    return path


def chosen(tune, first, last):
    return [index for index, n in enumerate(tune.numbers()) if first <= n <= last]


def beside(text, bars):
    """Return the pieces of the text before, between and after some bars."""
    spans = [read_abc(text).spans[0][index] for index in bars]
    starts, ends = [span.start for span in spans], [span.end for span in spans]
    return [text[a:b] for a, b in zip([0, *ends], [*starts, len(text)], strict=True)]


def check(old, new, first, last):
    """Check that only the notes of these bars changed, and that each bar kept its duration."""
    (before,), (after,) = read_abc(old).tunes, read_abc(new).tunes
    bars = chosen(before, first, last)
    assert beside(old, bars) == beside(new, bars)
    assert [bar.duration for bar in before.bars] == [bar.duration for bar in after.bars]
    for index, pair in enumerate(zip(before.bars, after.bars, strict=True)):
        assert index in bars or pair[0] == pair[1]
    assert [before.bars[index].notes for index in bars] != [
        after.bars[index].notes for index in bars
    ]


@pytest.mark.parametrize("bars", [(0, 0), (1, 1), (2, 5), (4, 4), (6, 6), (7, 8), (9, 9), (0, 10)])
def test_everything_but_the_notes_of_the_bars_is_kept_byte_for_byte(model, bars):
    for new in rewrite(model, TUNE, bars=bars, count=2):
        check(TUNE, new, *bars)


@needs_data
@pytest.mark.parametrize("name", ["irish.abc", "nottingham/jigs.abc", "nottingham/waltzes.abc"])
def test_people_s_tunes_keep_everything_else(model, name, monkeypatch):
    monkeypatch.setattr("charrnn.music.infill.CANDIDATES", 2)
    rng = random.Random(name)
    text = (Path(os.environ["CHARRNN_DATA"]) / name).read_text("utf-8")
    texts = [part for part in re.split(r"(?m)^(?=X:)", text) if part.startswith("X:")]
    refused = 0
    some = rng.sample(texts, 30)
    for old in some:
        numbers = read_abc(old).tunes[0].numbers()
        first = rng.randint(numbers[0], numbers[-1])
        last = min(numbers[-1], first + rng.randint(0, 4))
        try:
            check(old, rewrite(model, old, bars=(first, last))[0], first, last)
        except ConfigError:
            refused += 1
    assert refused <= 1


def test_line_ends_of_other_operating_systems_are_kept(model):
    old = TUNE.replace("\n", "\r\n")
    check(old, rewrite(model, old, bars=(2, 6))[0], 2, 6)


def test_the_same_seed_gives_the_same_bars(model):
    one, two, other = (rewrite(model, TUNE, bars=(2, 3), seed=seed)[0] for seed in (1, 1, 2))
    assert one == two != other


def test_versions_are_distinct_and_the_best_comes_first(model):
    """The best version makes the rest of the tune likeliest."""
    versions = rewrite(model, TUNE, bars=(2, 3), count=20)
    assert len(set(versions)) == 20
    beginnings, ends = [], set()
    for version in versions:
        text = TuneReading().text(read_abc(version).tunes[0])
        end = read_abc(text).spans[0][3].end
        beginnings.append(text[:end])
        ends.add(text[end:])
    (after,) = ends
    scores = [log_likelihood(model, text, after) for text in beginnings]
    assert scores[0] > scores[-1]
    assert (np.diff(scores) < 1e-4).all()


def test_a_beginning_has_the_same_score_alone_and_in_a_batch(model):
    beginnings, after = ["M:4/4\nK:Cmaj\nc4c4|" + "cdef" * n for n in (9, 0, 2)], "g4c4|]\n\n"
    np.testing.assert_allclose(
        log_likelihoods(model, beginnings, after),
        [log_likelihood(model, text, after) for text in beginnings],
        rtol=1e-6,
    )


def log_likelihood(model, text, after):
    ids = model.tokenizer.encode("\n" + text + after, "skip")[:, None]
    rest = len(model.tokenizer.encode(after, "skip"))
    network = model.model()
    losses, _, _ = network.losses(ids[:-1], ids[1:], network.zero_state(1))
    return -losses[-rest:].sum(dtype=np.float64)


def test_there_are_fewer_versions_if_the_model_finds_no_more(model):
    assert len(rewrite(model, TUNE, bars=(2, 3), count=4, temperature=0)) == 1


def test_a_note_tied_into_the_bars_continues(model):
    """Also if the tie comes from the end of a repeat and carries an accidental."""
    for old, bar in (("A2 ^c2-|c2 d2|e4|", 2), ("^f2 c2|:d4|e2 d2-:|e4|", 2)):
        text = f"X:1\nM:2/2\nL:1/4\nK:C\n{old}\n"
        before = read_abc(text).tunes[0]
        for version in rewrite(model, text, bars=(bar, bar), count=3):
            check(text, version, bar, bar)
            new = read_abc(version).tunes[0]
            assert new.bars[1].notes[0].pitch == before.bars[1].notes[0].pitch


def test_nothing_is_tied_out_of_the_bars(model):
    text = "X:1\nM:2/2\nL:1/4\nK:C\nA2 c2-|c2 d2|e4|\n"
    for version in rewrite(model, text, bars=(1, 1), count=30, temperature=5):
        check(text, version, 1, 1)
        assert not read_abc(version).tunes[0].bars[0].notes[-1].tied


def test_bars_are_written_in_the_key_and_unit_in_force(model):
    text = "X:1\nM:2/4\nL:1/4\nK:D\nAB|[M:3/4][L:1/16][K:Bb]B4c4d4|[K:Am]e4f4g4|a12|]\n"
    for version in rewrite(model, text, bars=(2, 3), count=3, temperature=2):
        check(text, version, 2, 3)


def test_slurs_across_a_bar_line_keep_both_ends(model):
    text = 'X:1\nM:2/4\nL:1/4\nK:D\nA(B|(3ABc d)|"(x)"(ef)|g2|]\n'
    for bar, counts in ((1, 1), (2, 1), (3, 1)):
        music = rewrite(model, text, bars=(bar, bar))[0].split("K:D\n")[1]
        music = re.sub(r'"[^"]*"|\(\d', "", music)
        assert music.count("(") == music.count(")") >= counts


@pytest.mark.parametrize(
    ("music", "bars", "words"),
    [
        ("A2B2|c4|]", (0, 1), "within bars 1 to 2, got 0-1"),
        ("A2B2|c4|]", (2, 3), "within bars 1 to 2, got 2-3"),
        ("A2B2|c4|]", (2, 1), "got 2-1"),
        ("A2B2|c2[K:G]d2|e4|]", (2, 2), r"bar 2 contains '\[K:G\]'; move it to a bar line"),
        ("A2B2|c2% dear\nd2|e4|]", (2, 2), "bar 2 contains '% dear'"),
        ("A2B2|c2\nw: words\nd2|e4|]", (2, 2), "bar 2 contains 'w: words'"),
        ("A2B2|Z3|e4|]", (2, 3), "bar 2 is part of a multi-bar rest"),
        ("A2^c2-|c2d2|]", (1, 1), "bars 1-1 cannot be replaced alone"),
        ("A2c/B>|cd3e/|]", (2, 2), "bars 2-2 cannot be replaced alone"),
        ("A2(3Bc|dc2|]", (0, 1), "cannot fill a bar of 5/6 whole notes"),
        ("A2|:B2|1c2:|2d2:|3e2|f4|]", (1, 1), "more than two endings"),
        ("[K:C octave=1]A2B2|c4|]", (1, 1), "octave= or transpose="),
        ("A2B2|c4|]\n\nX:2\nK:C\nA4|]", (1, 1), "the text has 2 tunes; select one with tune"),
    ],
)
def test_bars_that_cannot_be_rewritten_are_errors(model, music, bars, words):
    with pytest.raises(ConfigError, match=words):
        rewrite(model, f"X:1\nM:4/4\nL:1/4\nK:C\n{music}\n", bars=bars)


def test_a_text_without_a_tune_is_an_error(model):
    with pytest.raises(CorpusError, match="no tunes found"):
        rewrite(model, "X:1\nK:C\n\n", bars=(1, 1))


def test_a_model_that_writes_only_the_existing_bars_is_an_error(model):
    (best,) = rewrite(model, TUNE, bars=(2, 3), temperature=0)
    with pytest.raises(CharRNNError, match="only the existing bars; raise temperature"):
        rewrite(model, best, bars=(2, 3), temperature=0)


# ---- the command line ----------------------------------------------------------------------------


def test_the_tune_is_printed_with_new_notes_in_the_bars(cli, model_file, tune_file):
    options = ("--prompt-file", tune_file, "--rewrite", "2-3", "--seed", 1)
    result = cli("compose", model_file, *options)
    assert result.code == 0
    check(TUNE, result.out, 2, 3)
    assert cli("compose", model_file, *options).out == result.out
    assert rewrite(load(model_file), TUNE, bars=(2, 3), seed=1) == [result.out]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_files_keep_their_bytes(cli, model_file, tune_file, tmp_path, encoding):
    text = TUNE[TUNE.index("X:") :]
    data = text.replace("Example", "Fáinne").replace("\n", "\r\n").encode(encoding)
    tune_file.write_bytes(data)
    result = cli("compose", model_file, "--prompt-file", tune_file, "--rewrite", 8, "-o", "out")
    assert result.code == 0, result.err
    written = (tmp_path / "out" / "01.abc").read_bytes()
    assert written != data
    check(data.decode(encoding), written.decode(encoding), 8, 8)
    assert written.startswith(data[:100])


def test_all_files_and_a_page_are_written_for_each_version(cli, model_file, tune_file, tmp_path):
    options = ("--rewrite", "2-3", "-n", 2, "--formats", "abc,mid,svg", "-o", "out")
    result = cli("compose", model_file, "--prompt-file", tune_file, *options)
    assert result.code == 0, result.err
    kinds = ("abc", "mid", "svg")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"0{n}.{kind}" for n in (1, 2) for kind in kinds} | {"index.html"}
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "bars 2-3 rewritten" in page
    assert "% a comment before" in page


def test_a_tune_of_a_book_is_rewritten_alone(cli, model_file, tmp_path):
    """It keeps its own text, and the fields of the file header."""
    text = "Z:A. Scribe\n\nX:1\nK:G\nG4A4|B8|]\n\n" + TUNE.replace("% the end\n", "")
    (tmp_path / "book.abc").write_text(text + "\nX:9\nK:C\nC8|]\n", "utf-8")
    options = ("--prompt-file", "book.abc", "--rewrite", "2-3", "--seed", 1)
    result = cli("compose", model_file, *options, "--tune", 2)
    alone = TUNE.replace("K:D", "Z:A. Scribe\nK:D").replace("\n% the end\n", "")
    check(alone, result.out, 2, 3)
    assert result.err.endswith("book.abc: removed 1 grace note from the rewritten bars\n")
    assert (
        cli("compose", model_file, *options)
        .err.splitlines()[-1]
        .endswith("the text has 3 tunes; select one with --tune")
    )
    assert (
        cli("compose", model_file, *options, "--tune", 4)
        .err.splitlines()[-1]
        .endswith("--tune is 4, but the text has only 3 tunes")
    )


def test_only_the_notation_of_the_rewritten_bars_is_reported_as_lost(cli, model_file, tune_file):
    options = ("--prompt-file", tune_file, "--seed", 1)
    told = cli("compose", model_file, *options, "--rewrite", 8).err
    assert "ignored" not in told
    told = cli("compose", model_file, *options, "--rewrite", "1-3").err
    assert "tune.abc: removed 1 chord symbol and 1 grace note from the rewritten bars" in told


def test_a_midi_file_is_rewritten_as_abc(cli, model_file, tune_file, tmp_path):
    assert cli("convert", tune_file, "tune.mid").code == 0
    assert cli("convert", "tune.mid", "converted.abc").code == 0
    result = cli("compose", model_file, "--prompt-file", "tune.mid", "--rewrite", 2)
    check((tmp_path / "converted.abc").read_text("utf-8"), result.out, 2, 2)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--rewrite", "5"), 2, "name its file with --prompt-file"),
        (("--prompt-file", "tune.abc", "--rewrite", "8-5"), 2, "got '8-5'"),
        (("--prompt-file", "tune.abc", "--rewrite", "a-b"), 2, "got 'a-b'"),
        (("--prompt-file", "tune.abc", "--rewrite", ""), 2, "got ''"),
        (("--prompt-file", "tune.abc", "--rewrite", "5-80"), 2, "within bars 0 to 10"),
        (("--prompt-file", "no.abc", "--rewrite", "5"), 1, "no.abc does not exist"),
        (("--prompt-file", "tune.abc", "--rewrite", "5", "--tune", "2"), 2, "has only 1 tune"),
        (("--prompt-file", "tune.abc", "--rewrite", "5", "--tune", "0"), 2, "at least 1, got 0"),
        (
            ("--prompt-file", "tune.abc", "--rewrite", "5", "--bars", "8", "--form", "AB"),
            2,
            "cannot be combined with --bars, --form",
        ),
        (
            ("--prompt-file", "tune.abc", "--rewrite", "5", "--meter", "6/8", "--key", "D"),
            2,
            "cannot be combined with --meter, --key",
        ),
        (
            ("--prompt-file", "tune.abc", "--rewrite", "5", "--unconstrained", "--max-copy", "8"),
            2,
            "cannot be combined with --unconstrained, --max-copy",
        ),
    ],
)
def test_invalid_requests_to_rewrite_are_errors_in_one_line(
    cli, model_file, tmp_path, options, code, words
):
    (tmp_path / "tune.abc").write_text(TUNE, "utf-8")
    result = cli("compose", model_file, *options, "--seed", 1)
    assert result.code == code
    assert words in result.err.splitlines()[-1]
    assert result.out == ""


def test_titles_are_escaped_on_a_terminal_and_raw_in_a_pipe(
    on_terminal, cli, model_file, tune_file
):
    tune_file.write_text(TUNE.replace("Example", "\x1b[2JExample"), "utf-8")
    command = ("compose", model_file, "--prompt-file", tune_file, "--rewrite", 2, "--seed", 1)
    shown = on_terminal(*command, stream="stdout")
    assert shown.code == 0, shown.err
    assert r"\x1b[2JExample" in shown.out
    assert "\x1b" not in shown.out
    assert "\x1b[2JExample" in cli(*command).out
