"""`charrnn train`: its files, messages and errors."""

import io
import os
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from charrnn.checkpoints.checkpoint import load
from tests.cli.runs import SHORT, TEXT
from tests.helpers import assert_refused, linux, posix
from tests.tiny import OPTIONS

# ---- files ---------------------------------------------------------------------------------------


def test_the_model_is_named_after_the_corpus_in_the_current_folder(cli, tmp_path, files):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "novel.txt").write_text(TEXT)
    result = cli("train", folder / "novel.txt", *SHORT)
    assert (result.code, result.out) == (0, "")
    assert files() == ["elsewhere", "novel.resume.safetensors", "novel.safetensors"]


def test_the_model_of_a_folder_is_named_after_the_folder(cli, tmp_path, files):
    (tmp_path / "tunes" / "old").mkdir(parents=True)
    (tmp_path / "tunes" / "a.txt").write_text(TEXT)
    (tmp_path / "tunes" / "old" / "b.txt").write_text(TEXT.upper())
    assert cli("train", "tunes", *SHORT).code == 0
    assert "tunes.safetensors" in files()
    assert load("tunes.safetensors").tokenizer.alphabet == "\n ACEHMNOSTacehmnost"


def test_standard_input_is_a_corpus(process, tmp_path):
    result = process("train", "-", *SHORT, input=TEXT.encode())
    assert (result.code, result.out) == (0, "")
    assert load(tmp_path / "stdin.safetensors").training.steps == 12


def test_out_sets_the_model_file(cli, novel, tmp_path, files):
    (tmp_path / "models").mkdir()
    assert cli("train", novel, *SHORT, "-o", "models/a.safetensors").code == 0
    assert files() == ["models", "novel.txt"]
    assert load("models/a.safetensors").config.hidden_size == 8


def test_the_same_command_writes_the_same_bytes(cli, novel, tmp_path):
    for name in "ab":
        assert cli("train", novel, *SHORT, "-o", f"{name}.safetensors").code == 0
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_eight_workers_write_the_same_bytes_as_eight_shards_in_one(process, novel, tmp_path):
    """Also on fewer cores."""
    options = [*SHORT, "--batch-size", "16"]
    for name, division in (("a", ["--workers", "8"]), ("b", ["--shards", "8", "--workers", "1"])):
        result = process("train", novel, *options, *division, "-o", f"{name}.safetensors")
        assert result.code == 0, result.err
        assert f"{name}.safetensors: validation loss" in result.err
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_every_setting_reaches_the_model(cli, novel):
    settings = {"cell": "rnn", "num_layers": 2, "hidden_size": 6, "embedding_size": 0}
    training = {
        "init": "torch",
        "optimizer": "sgd",
        "momentum": 0.5,
        "schedule": "linear",
        "warmup_steps": 3,
        "weight_decay": 0.01,
        "clip_norm": 2.0,
        "clip_value": 0.5,
        "learning_rate": 0.1,
        "seed": 7,
        "documents": "lines",
        "valid_fraction": 0.2,
    }
    options = [
        word
        for name, value in (settings | training).items()
        for word in ("--" + name.replace("_", "-"), value)
    ]
    assert cli("train", novel, *SHORT, *options).code == 0
    model = load("novel.safetensors")
    assert {name: getattr(model.config, name) for name in settings} == settings
    assert {name: getattr(model.training.config, name) for name in training} == training


@pytest.mark.parametrize("name", ["a novel.txt", "-novel.txt"])
def test_the_suggested_next_command_works(cli, novel, tmp_path, name):
    novel.rename(tmp_path / name)
    *_, title, command = cli("train", *SHORT, "--", name).err.splitlines()
    assert title == "charrnn: to generate text:"
    word, *arguments = shlex.split(command)
    assert word == "charrnn"
    assert cli(*arguments, "--length", "5").code == 0


# ---- an existing model ---------------------------------------------------------------------------


def test_an_existing_model_is_not_replaced(cli, novel, trained, files):
    before, names = trained.read_bytes(), files()
    result = cli("train", novel, *SHORT, "--seed", "1")
    assert_refused(result, 1, str(trained.name), "--resume", "--overwrite", "--out")
    assert trained.read_bytes() == before
    assert files() == names


@posix
def test_a_pipe_is_not_replaced(cli, novel, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert_refused(cli("train", novel, *SHORT, "-o", "pipe"), 1, "pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_a_foreign_file_is_not_replaced(cli, novel):
    for options in ([], ["--overwrite"]):
        result = cli("train", novel, *SHORT, "-o", novel, *options)
        assert_refused(result, 1, "novel.txt is not a model file", "choose another --out")
    assert novel.read_text() == TEXT


def test_overwrite_replaces_it(cli, novel, trained):
    before = trained.read_bytes()
    assert cli("train", novel, *SHORT, "--seed", "1", "--overwrite").code == 0
    assert trained.read_bytes() != before
    assert load(trained).training.config.seed == 1


def test_resume_continues_to_a_raised_limit(cli, novel, trained):
    result = cli("train", novel, "--resume", "--max-steps", "20")
    assert result.code == 0
    assert "resuming from step 12" in result.err
    assert load(trained).training.steps == 20
    assert [entry.step for entry in load(trained).history] == [5, 10, 12, 15, 20]


def test_resuming_a_complete_run_reports_that(cli, novel, trained):
    before = trained.read_bytes()
    result = cli("train", novel, "--resume")
    assert (result.code, result.out) == (0, "")
    assert "novel.safetensors is complete at step 12 (--max-steps 12 reached)" in result.err
    assert trained.read_bytes() == before


def test_a_limit_below_the_steps_of_a_run_completes_it(cli, novel, trained):
    before = trained.read_bytes()
    result = cli("train", novel, "--resume", "--max-steps", "4")
    assert result.code == 0
    assert "novel.safetensors is complete at step 12 (--max-steps 4 reached)" in result.err
    assert trained.read_bytes() == before


@pytest.mark.parametrize(
    "option", ["--seed 5", "--cell lstm", "--learning-rate 0.1", "--valid-fraction 0.3"]
)
def test_resume_rejects_changed_settings_by_name(cli, novel, trained, option):
    before = trained.read_bytes()
    result = cli("train", novel, "--resume", "--max-steps", "20", *option.split())
    assert_refused(result, 2, option.split()[0])
    assert trained.read_bytes() == before


@pytest.mark.parametrize("added", ["the mat\n", "a dog\n"], ids=["known", "new characters"])
def test_resume_rejects_another_corpus(cli, novel, trained, added):
    before = trained.read_bytes()
    novel.write_text(TEXT + added)
    result = cli("train", novel, "--resume", "--max-steps", "20")
    assert_refused(
        result, 2, "this is not the corpus that novel.safetensors was trained on", "--init-from"
    )
    assert trained.read_bytes() == before


def test_resume_needs_a_run_to_resume(cli, novel, files):
    assert_refused(cli("train", novel, "--resume"), 1, "novel.safetensors does not exist")
    assert files() == ["novel.txt"]


@pytest.mark.parametrize("other", ["--overwrite", "--init-from"])
def test_resume_cannot_be_combined_with_a_new_start(cli, novel, trained, other):
    before = trained.read_bytes()
    value = [trained] if other == "--init-from" else []
    result = cli("train", novel, "--resume", other, *value)
    assert (result.code, result.out) == (2, "")
    assert "--resume" in result.err
    assert trained.read_bytes() == before


def test_init_from_keeps_the_weights_and_adds_to_the_alphabet(cli, trained, tmp_path):
    (tmp_path / "more.txt").write_text(TEXT.replace("cat", "yak"))
    arguments = ["train", "more.txt", "--init-from", trained, "--learning-rate", "1e-30"]
    assert cli(*arguments, "--max-steps", "1").code == 0
    old, new = load(trained), load("more.safetensors")
    assert new.tokenizer.alphabet == old.tokenizer.alphabet + "ky"
    for name, values in old.parameters.items():
        kept = new.parameters[name][tuple(map(slice, values.shape))]
        assert abs(kept - values).max() < 1e-6
    assert replace(new.config, dropout=0.2, weight_dropout=0.1) == old.config


# ---- selected settings and the plan --------------------------------------------------------------


def test_selected_settings_are_printed_and_stored(cli, novel):
    told = cli("train", novel, "--epochs", 1, "--batch-size", 8, "--dropout", 0.125).err
    (chosen,) = (line for line in told.splitlines() if "selected for" in line)
    assert "selected for this corpus, CPU and limit: " in chosen
    assert "--hidden-size 128" in chosen
    assert "--dropout" not in chosen
    shown = cli("info", "novel.safetensors").out
    (line,) = (line for line in shown.splitlines() if line.startswith("selected"))
    assert "hidden_size 128" in line
    assert "given     dropout 0.125, batch_size 8\n" in shown


def test_a_resumed_run_keeps_the_record_of_selected_settings(cli, novel):
    cli("train", novel, "--max-steps", 2, "--seed", 5)
    before = cli("info", "novel.safetensors").out
    assert cli("train", novel, "--resume", "--max-steps", 4).code == 0
    after = cli("info", "novel.safetensors").out
    kept = [line for line in before.splitlines() if line.startswith(("selected", "given"))]
    assert len(kept) == 2
    assert set(kept) <= set(after.splitlines())


def test_the_plan_of_a_new_run_has_an_expected_loss(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("charrnn.cli.progress.SECONDS_TO_PLAN", 0)
    (tmp_path / "novel.txt").write_text("".join(f"{n * n:x} cats\n" for n in range(6000)))
    long = ["--epochs", 5, "--batch-size", 512, "--seq-len", 16, "--eval-every", 10**6]
    told = cli("train", "novel.txt", "--hidden-size", 8, *long).err
    assert re.search(r"plan: about 5 epochs in .*expected loss \d\.\d+ to \d\.\d+ nats/char", told)
    start = ["--init-from", "novel.safetensors", "-o", "other.safetensors"]
    told = cli("train", "novel.txt", *long, *start).err
    assert "plan: " in told
    assert "expected loss" not in told


def test_the_plan_of_a_short_run_has_no_expected_loss(cli, tmp_path):
    (tmp_path / "novel.txt").write_text("".join(f"{n * n:x} cats\n" for n in range(2000)))
    told = cli("train", "novel.txt", *SHORT).err
    assert "plan: " in told
    assert "expected loss" not in told


def test_the_plan_follows_from_the_speed_of_the_first_steps(cli, novel):
    told = cli("train", novel, *OPTIONS, "--max-steps", 12, "--eval-every", 6).err
    said = re.search(r"plan: about (\S+) epochs in 0.1 min\nstep 6 ", told)
    run = load("novel.safetensors").training
    assert float(said[1]) == pytest.approx(12 * 4 * 8 / run.characters, rel=0.1)


def test_a_resumed_run_has_no_plan(cli, novel, trained):  # noqa: ARG001 (the run to resume)
    assert "plan: " not in cli("train", novel, "--resume", "--max-steps", 30).err


def test_early_stopping_is_reported(cli, tmp_path):
    (tmp_path / "ab.txt").write_text("abcabcabcabd" * 8 + "dbadcbbadcda")
    options = ["--dropout=0", "--weight-dropout=0", "--learning-rate=0.01", "--eval-every=4"]
    result = cli("train", "ab.txt", *options, "--hidden-size=16", "--max-steps=2000")
    assert result.code == 0
    assert load("ab.safetensors").training.steps < 500
    assert "early stopping at step" in result.err
    assert "overfitting since step" in result.err
    *_, drawn = re.findall(r"training ([▁-█]+)  validation ([▁-█]+)\n", result.err)
    assert len(drawn[0]) == len(drawn[1]) > 5
    assert drawn[0][-1] < drawn[1][-1]


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        "--hidden-size 0",
        "--hidden-size -5",
        "--num-layers 0",
        "--num-layers 9",
        "--embedding-size -1",
        "--dropout 1",
        "--dropout -0.1",
        "--seq-len 0",
        "--batch-size 0",
        "--learning-rate 0",
        "--learning-rate nan",
        "--learning-rate inf",
        "--learning-rate -1",
        "--momentum 1",
        "--warmup-steps -1",
        "--weight-decay -1",
        "--clip-norm nan",
        "--clip-value -1",
        "--seed -1",
        "--seed 18446744073709551616",
        "--valid-fraction 1",
        "--valid-fraction nan",
        "--epochs 0",
        "--epochs inf",
        "--max-steps 0",
        "--minutes 0",
        "--minutes nan",
        "--minutes inf",
        "--eval-every 0",
        "--save-every 0",
        "--patience 0",
    ],
)
def test_numbers_out_of_range_are_rejected_by_name(cli, novel, files, option):
    name, value = option.split()
    result = cli("train", novel, *OPTIONS, *option.split())
    assert_refused(result, 2, name, "must be", value[:5])
    assert files() == ["novel.txt"]


def test_a_negative_limit_must_be_above_0(cli, novel):
    assert_refused(cli("train", novel, *OPTIONS, "--minutes", "-1"), 2, "must be above 0")


@pytest.mark.parametrize(
    "option",
    ["--hidden-size many", "--max-steps 1.5", "--cell elman", "--optimizer lion", "--dept 3"],
)
def test_unknown_options_and_values_are_usage_errors(cli, novel, files, option):
    result = cli("train", novel, *option.split())
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("charrnn: error: ")
    assert option.split()[0] in result.err
    assert files() == ["novel.txt"]


@pytest.mark.parametrize(
    "option",
    ["--epochs 1e308", f"--max-steps {10**400}", f"--warmup-steps {10**400}"],
    ids=range(3),
)
def test_huge_numbers_work_or_are_rejected_clearly(cli, novel, option):
    result = cli("train", novel, *OPTIONS, "--minutes", "0.001", *option.split())
    if result.code:
        assert_refused(result, 2, option.split()[0])


@pytest.fixture
def _no_more_memory():
    """Limit the process to one more GB of memory."""
    resource = pytest.importorskip("resource")
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@linux
@pytest.mark.usefixtures("_no_more_memory")
@pytest.mark.parametrize(("size", "code"), [(2**16, 1), (10**7, 2), (10**13, 2)])
def test_a_model_larger_than_memory_is_an_error(cli, novel, files, monkeypatch, size, code):
    disk = SimpleNamespace(total=1 << 60, free=1 << 60)
    monkeypatch.setattr("charrnn.checkpoints.output.shutil.disk_usage", lambda _: disk)
    result = cli("train", novel, "--hidden-size", size)
    assert_refused(result, code, "hidden")
    assert files() == ["novel.txt"]


def test_divergence_has_an_exit_code_of_its_own(cli, novel):
    wild = ["--optimizer", "sgd", "--learning-rate", "1e9", "--clip-norm", "0"]
    result = cli("train", novel, *SHORT, *wild, "--warmup-steps", "0")
    assert (result.code, result.out) == (3, "")
    assert "continuing from step 0" in result.err
    *_, last = result.err.splitlines()
    assert last.startswith("charrnn: error: training diverged again")
    assert "--learning-rate" in last


def test_divergence_keeps_the_model_to_start_from(cli, novel, trained):
    result = cli("train", novel, "--resume", "--max-steps", "20")
    assert result.code == 0
    before = trained.read_bytes()
    wild = ["--learning-rate", "1e12", "--optimizer", "sgd", "--clip-norm", "0"]
    result = cli("train", novel, *SHORT, *wild, "--init-from", trained, "-o", "wild.safetensors")
    assert result.code == 3
    assert trained.read_bytes() == before


@pytest.fixture
def targets(tmp_path):
    """A folder with a target of each kind, and a corpus that cannot be read as UTF-8."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "lost").symlink_to("missing/a.safetensors")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "novel.txt").write_bytes(b"\xff")
    return sorted(tmp_path.iterdir())


@posix
@pytest.mark.parametrize("option", [None, "--overwrite"])
@pytest.mark.parametrize(
    ("out", "words"),
    [
        (".", ". is a folder"),
        ("..", ".. is a folder"),
        ("/", "/ is a folder"),
        ("folder", "folder is a folder"),
        ("folder/", "folder is a folder"),
        ("link", "link is a folder"),
        ("loop", "loop is a loop of symbolic links"),
        ("lost", "missing does not exist"),
        ("pipe", "pipe is a pipe"),
        ("missing/a.safetensors", "missing does not exist"),
        ("novel.txt", "novel.txt is not a model file"),
        ("novel.txt/a.safetensors", "novel.txt does not exist"),
        ("/dev/null", "/dev/null is a device"),
        ("/proc/a.safetensors", "cannot write /proc/a.safetensors"),
        ("-", "cannot be named -"),
        ("x" * 250, "name too long"),
    ],
)
def test_an_invalid_output_fails_before_reading_the_corpus(
    cli, tmp_path, targets, out, words, option
):
    result = cli("train", "novel.txt", *SHORT, "-o", out, *([option] if option else []))
    assert_refused(result, 1, words, "choose another --out")
    assert sorted(tmp_path.iterdir()) == targets


@posix
@pytest.mark.parametrize(
    "out", [".", "..", "/", "folder", "link", "loop", "lost", "pipe", "novel.txt", "/dev/null", "-"]
)
def test_resuming_an_invalid_output_is_an_error(cli, tmp_path, targets, out):
    result = cli("train", "novel.txt", *SHORT, "-o", out, "--resume")
    assert_refused(result, 1, out)
    assert sorted(tmp_path.iterdir()) == targets


@pytest.mark.parametrize("option", ["--out", "--valid", "--init-from", "--log"])
def test_a_path_must_not_be_empty(cli, novel, files, option):
    """As from a shell variable that is not set."""
    result = cli("train", novel, *SHORT, option, "")
    assert (result.code, result.out) == (2, "")
    assert f"{option} must not be empty" in result.err
    assert files() == ["novel.txt"]


# ---- corpora -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["novel.txt is empty"]),
        (b"\xef\xbb\xbf", ["novel.txt is empty"]),
        (b"a", ["1 training character; training needs at least 2"]),
        (b"caf\xe9 au lait", ["not valid UTF-8", "0xE9", "offset 3", "--encoding"]),
        ("häuser".encode("utf-16"), ["not valid UTF-8", "0xFF", "--encoding utf-16"]),
    ],
    ids=["empty", "only a byte order mark", "one character", "latin-1", "utf-16"],
)
def test_a_corpus_that_cannot_be_trained_on_is_an_error(cli, novel, files, content, words):
    novel.write_bytes(content)
    assert_refused(cli("train", novel, *SHORT), 1, *words)
    assert files() == ["novel.txt"]


def test_a_missing_corpus_is_an_error(cli, files):
    assert_refused(cli("train", "nowhere.txt", *SHORT), 1, "nowhere.txt does not exist")
    assert files() == []


def test_a_folder_without_text_is_an_error(cli, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / ".hidden").write_text(TEXT)
    assert_refused(cli("train", "bare", *SHORT), 1, "bare contains no text files")


def test_empty_standard_input_is_an_error(cli, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert_refused(cli("train", "-", *SHORT), 1, "standard input is empty")


def test_closed_standard_input_is_an_error(cli, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert_refused(cli("train", "-", *SHORT), 1, "standard input")


def test_a_missing_corpus_argument_is_a_usage_error(cli):
    result = cli("train")
    assert result.code == 2
    assert "CORPUS" in result.err


def test_the_encoding_can_be_set(cli, novel):
    novel.write_bytes(("café au lait\n" * 50).encode("latin-1"))
    assert cli("train", novel, *SHORT, "--encoding", "latin-1").code == 0
    assert "é" in load("novel.safetensors").tokenizer.alphabet


def test_an_unknown_encoding_is_rejected(cli, novel):
    assert_refused(cli("train", novel, *SHORT, "--encoding", "klingon"), 2, "klingon")


def test_a_byte_order_mark_is_dropped_and_line_ends_are_read_as_lf(cli, novel):
    novel.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    result = cli("train", novel, *SHORT)
    assert result.code == 0
    assert result.err.count("CRLF") == 1
    assert load("novel.safetensors").tokenizer.alphabet == "".join(sorted(set(TEXT)))


def test_control_characters_are_kept_and_shown_escaped(cli, novel):
    novel.write_text("\0\x1b\x07\n" * 200, newline="")
    result = cli("train", novel, *SHORT)
    assert result.code == 0
    assert load("novel.safetensors").tokenizer.alphabet == "\0\x07\n\x1b"
    assert r"\x1b" in result.err
    assert result.err.replace("\n", "").isprintable()


@pytest.mark.parametrize("length", [2, 3, 10, 100])
def test_a_corpus_shorter_than_a_chunk_is_trained_on_with_a_notice(cli, novel, length):
    novel.write_text(TEXT[:length])
    result = cli("train", novel, "--hidden-size", "4", "--max-steps", "2", "--valid-fraction", "0")
    assert result.code == 0
    assert f"the corpus has {length} training characters" in result.err
    config = load("novel.safetensors").training.config
    assert config.batch_size * config.seq_len <= length


# ---- validation ----------------------------------------------------------------------------------


def test_an_empty_path_and_an_empty_text_are_named_once(cli, tmp_path):
    assert_refused(cli("train", ""), 2, "error: CORPUS must not be empty")
    (tmp_path / "empty.txt").write_text("")
    result = cli("train", "empty.txt")
    assert result.err.endswith("error: empty.txt is empty\n")


def test_validation_may_be_disabled(cli, novel):
    result = cli("train", novel, *SHORT, "--valid-fraction", "0")
    assert result.code == 0
    assert "saved novel.safetensors: weights from step 12" in result.err
    assert load("novel.safetensors").history == []


def test_unknown_validation_characters_are_named_or_skipped(cli, novel, tmp_path):
    (tmp_path / "valid.txt").write_text("the çat sat on the måt\n" * 20, encoding="utf-8")
    arguments = ["train", novel, *SHORT, "--valid", "valid.txt"]
    result = cli(*arguments)
    assert_refused(result, 1, "U+00E5", "U+00E7", "--unknown skip")
    assert cli(*arguments, "--unknown", "skip").code == 0
    assert load("novel.safetensors").history


def test_a_missing_validation_file_is_an_error(cli, novel, files):
    assert_refused(cli("train", novel, *SHORT, "--valid", "nowhere.txt"), 1, "nowhere.txt")
    assert files() == ["novel.txt"]
