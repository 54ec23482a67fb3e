"""Every command has an equivalent Python call with the same result, byte for byte."""

import json
import math
from dataclasses import asdict, fields

import pytest

import charrnn
from tests.helpers import ROOT

TUNES = ROOT / "corpora" / "tunes.abc"


@pytest.fixture(scope="module")
def tunes_file(tmp_path_factory):
    """The first tunes of the project's own."""
    path = tmp_path_factory.mktemp("tunes") / "tunes.abc"
    path.write_text("".join(TUNES.read_text("utf-8").partition("X:31\n")[0]), "utf-8")
    return path


@pytest.fixture(scope="module")
def fiddle_file(tunes_file, model_of_tunes):
    return model_of_tunes(tunes_file, hidden_size=16, max_steps=20)


def test_sample_is_generate(cli, model_file):
    options = ("--length", 80, "--seed", 3, "--temperature", 0.7, "--top-k", 5, "--stop", "zz")
    printed = cli("sample", model_file, "--prompt", "The ", "--num-samples", 2, "--json", *options)
    texts = charrnn.generate(
        charrnn.load(model_file),
        "The ",
        num_samples=2,
        length=80,
        seed=3,
        temperature=0.7,
        top_k=5,
        stop="zz",
    )
    assert json.loads(printed.out)["samples"] == texts


def test_sample_adapted_is_generate_from_an_adapted_model(cli, model_file, corpus_file):
    printed = cli("sample", model_file, "--adapt", corpus_file, "--length", 60, "--seed", 1)
    model = charrnn.adapt(charrnn.load(model_file), charrnn.read(corpus_file))
    assert printed.out == charrnn.generate(model, length=60, seed=1)[0]


@pytest.mark.parametrize("options", [{}, {"part": "valid"}, {"dynamic": True}, {"streams": 2}])
def test_evaluate_is_evaluate(cli, model_file, corpus_file, options):
    words = {"part": ("--split", "valid"), "dynamic": ("--dynamic",), "streams": ("--streams", 2)}
    arguments = [word for name in options for word in words[name]]
    printed = json.loads(cli("evaluate", model_file, corpus_file, "--json", *arguments).out)
    result = charrnn.evaluate(charrnn.load(model_file), charrnn.read(corpus_file), **options)
    assert printed == asdict(result) | {
        "bits_per_char": result.nats_per_char / math.log(2),
        "perplexity": result.perplexity,
    }


def test_info_is_describe(cli, model_file):
    printed = json.loads(cli("info", model_file, "--json").out)
    described = json.loads(json.dumps(charrnn.load(model_file).describe()))
    file = {"file": str(model_file), "bytes": model_file.stat().st_size}
    assert printed == file | described


def test_compose_is_compose(cli, fiddle_file, tunes_file):
    options = ("--meter", "6/8", "--key", "Dmaj", "--bars", 8, "--form", "AABB", "--top-p", 0.9)
    against = ("--against", tunes_file, "--max-copy", 40)
    printed = cli("compose", fiddle_file, "-n", 2, "--seed", 4, *options, *against)
    assert printed.code == 0, printed.err
    tunes = charrnn.compose(
        charrnn.load(fiddle_file),
        2,
        seed=4,
        meter="6/8",
        key="Dmaj",
        bars=8,
        form="AABB",
        top_p=0.9,
        against=charrnn.read_abc(tunes_file.read_text("utf-8")).tunes,
        max_copy=40,
    )
    assert printed.out == charrnn.write_abc(tunes)


def test_a_composed_folder_is_compose_and_write_folder(cli, fiddle_file, tmp_path):
    assert cli("compose", fiddle_file, "-n", 1, "--seed", 4, "-o", "command").code == 0
    tunes = charrnn.compose(charrnn.load(fiddle_file), 1, seed=4)
    name = fiddle_file.name
    charrnn.write_folder(
        tmp_path / "python",
        tunes,
        title=f"Tunes from {name}",
        settings=f"{name}, seed 4, temperature 0.9",
    )
    command, python = (
        {file.name: file.read_bytes() for file in (tmp_path / folder).iterdir()}
        for folder in ("command", "python")
    )
    assert python == command


def test_compose_overwrite_is_write_folder_overwrite(cli, fiddle_file, tmp_path):
    command = ("compose", fiddle_file, "--formats", "abc,mid", "-o", "command")
    assert cli(*command, "-n", 2, "--seed", 4).code == 0
    assert cli(*command, "-n", 1, "--seed", 5).code == 1
    assert cli(*command, "-n", 1, "--seed", 5, "--overwrite").code == 0
    model, name = charrnn.load(fiddle_file), fiddle_file.name
    for count, seed in ((2, 4), (1, 5)):
        charrnn.write_folder(
            tmp_path / "python",
            charrnn.compose(model, count, seed=seed),
            formats=["abc", "mid"],
            title=f"Tunes from {name}",
            settings=f"{name}, seed {seed}, temperature 0.9",
            overwrite=True,
        )
    command, python = (
        {file.name: file.read_bytes() for file in (tmp_path / folder).iterdir()}
        for folder in ("command", "python")
    )
    assert python == command


def test_compose_rewrite_is_rewrite(cli, fiddle_file, tunes_file, tmp_path):
    tune = charrnn.write_abc(charrnn.read_abc(tunes_file.read_text("utf-8")).tunes[:1])
    (tmp_path / "tune.abc").write_text(tune, "utf-8")
    printed = cli(
        *("compose", fiddle_file, "--prompt-file", "tune.abc", "--rewrite", "3-4"),
        *("-n", 2, "--seed", 1, "--temperature", 1.5),
    )
    assert printed.code == 0, printed.err
    model = charrnn.load(fiddle_file)
    texts = charrnn.rewrite(model, tune, bars="3-4", count=2, seed=1, temperature=1.5)
    assert printed.out == "\n\n".join(texts)


def test_assess_is_assess(cli, tunes_file):
    printed = json.loads(cli("assess", tunes_file, "--against", tunes_file, "--json").out)
    result = charrnn.assess(tunes_file, against=tunes_file)
    assert printed == json.loads(json.dumps(asdict(result)))


@pytest.mark.parametrize("suffix", ["abc", "mid", "wav", "svg", "html"])
def test_convert_is_convert(cli, tunes_file, tmp_path, suffix):
    assert cli("convert", tunes_file, f"command.{suffix}", "--tune", 2).code == 0
    charrnn.convert(tunes_file, tmp_path / f"python.{suffix}", tune=2)
    command, python = (tmp_path / f"{name}.{suffix}" for name in ("command", "python"))
    assert python.read_bytes() == command.read_bytes()


# ---- random numbers ------------------------------------------------------------------------------


def test_another_attempt_draws_other_numbers(fiddle_file, tunes_file):
    """A limit on copies that the first attempt breaks does not repeat the next seed's tune."""
    model = charrnn.load(fiddle_file)
    tunes = charrnn.read_abc(tunes_file.read_text("utf-8")).tunes
    limits = {"bars": 8, "against": tunes, "max_copy": 30, "temperature": 1.5}
    drawn = [charrnn.compose(model, seed=seed, **limits)[0] for seed in range(6)]
    assert len({charrnn.write_abc([tune]) for tune in drawn}) == 6
    assert charrnn.compose(model, seed=2**64 - 1, **limits)  # there is no next seed


def test_the_history_is_of_records_by_name(model_file):
    history = charrnn.load(model_file).history
    assert {field.name for field in fields(history[0])} == {"step", "train", "valid"}
