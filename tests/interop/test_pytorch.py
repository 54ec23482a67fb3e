"""State dicts of PyTorch become models, or it is said what was expected and what was found."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import charrnn
from charrnn.errors import CheckpointError, ConfigError, CorpusError
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from tests.helpers import assert_refused, random_checkpoint

ALPHABET = "\n abcde"
CORPUS = Corpus.from_texts("a bad cab\nfaced a bed".replace("f", ""))
CONFIGS = [
    ModelConfig(cell, 6, layers, embedding, dropout=0.0)
    for cell in ("rnn", "lstm", "gru")
    for layers in (1, 2)
    for embedding in (0, 3)
]
CONFIG = ModelConfig("lstm", 6, 2, 3, dropout=0.0)


def state_dict(config=CONFIG, **prefixes):
    """The tensors of a model, whose modules may have other names."""
    tensors = random_checkpoint(config, ALPHABET, seed=3).parameters
    modules = {"embedding": "embedding.", "rnn": "rnn.", "head": "head."} | prefixes
    renamed = {}
    for name, values in tensors.items():
        module, _, rest = name.partition(".")
        renamed[modules[module] + rest] = values.copy()
    return renamed


@pytest.fixture
def torch_file(tmp_path):
    """A function that writes a state dict to a file, as safetensors.torch does."""

    def write(tensors, metadata=None):
        save_file(tensors, tmp_path / "torch.safetensors", metadata)
        return tmp_path / "torch.safetensors"

    return write


# ---- what is accepted ----------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_cell_and_sizes_follow_from_names_and_shapes(torch_file, config):
    model = charrnn.from_torch(torch_file(state_dict(config)), CORPUS)
    assert model.config == config
    assert model.tokenizer.alphabet == ALPHABET
    expected = random_checkpoint(config, ALPHABET, seed=3)
    assert model.parameters.shapes == expected.parameters.shapes
    np.testing.assert_array_equal(model.parameters.flat, expected.parameters.flat)


@pytest.mark.parametrize(
    "prefixes",
    [
        {"rnn": "lstm.", "embedding": "encoder.", "head": "decoder."},
        {"rnn": "module.lstm.", "embedding": "module.embed.", "head": "module.fc."},
        {"rnn": ""},
        {"rnn": "head.", "head": "embedding.", "embedding": "rnn."},
    ],
    ids=str,
)
def test_modules_may_have_any_names(torch_file, prefixes):
    model = charrnn.from_torch(torch_file(state_dict(**prefixes)), CORPUS)
    expected = random_checkpoint(CONFIG, ALPHABET, seed=3)
    np.testing.assert_array_equal(model.parameters.flat, expected.parameters.flat)


def test_a_state_dict_at_hand_is_the_file_that_it_makes(torch_file):
    tensors = state_dict()
    from_file = charrnn.from_torch(torch_file(tensors), CORPUS)
    from_dict = charrnn.from_torch(tensors, CORPUS)
    assert from_dict.parameters.flat.tobytes() == from_file.parameters.flat.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_precisions_become_float32(torch_file, dtype):
    tensors = {name: values.astype(dtype) for name, values in state_dict().items()}
    model = charrnn.from_torch(torch_file(tensors), CORPUS)
    assert model.parameters.flat.dtype == np.float32
    np.testing.assert_array_equal(
        model.parameters["head.bias"], tensors["head.bias"].astype(np.float32)
    )


@pytest.mark.parametrize("written", ["edcba \n", "edcba \n\n", "\n abcde\n", "\n\rabcde"])
def test_a_given_alphabet_is_in_the_order_of_ids(written):
    model = charrnn.from_torch(state_dict(), alphabet=written)
    assert model.tokenizer.alphabet == written[:7]


def test_files_are_read_as_charrnn_reads_them(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfabc\r\n")
    (tmp_path / "b.txt").write_bytes(b"e d\n")
    model = charrnn.from_torch(state_dict(), [tmp_path / "a.txt", tmp_path / "b.txt"])
    assert model.tokenizer.alphabet == ALPHABET


def test_the_model_claims_no_training(torch_file):
    model = charrnn.from_torch(torch_file(state_dict()), CORPUS)
    assert (model.training.steps, model.training.corpus, model.history) == (0, "", [])
    with pytest.raises(CorpusError, match="held-out"):
        charrnn.evaluate(model, CORPUS, part="valid")


# ---- what is refused -----------------------------------------------------------------------------


def without(name):
    def change(tensors):
        del tensors[name]

    return change


def changed(**arrays):
    def change(tensors):
        tensors.update({name.replace("__", "."): values for name, values in arrays.items()})

    return change


def spoiled(value):
    def change(tensors):
        tensors["head.weight"][1, 2] = value

    return change


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


NO_MODEL = "is not a character model: expected one nn.RNN, nn.LSTM or nn.GRU, one nn.Linear"
NO_MATCH = "does not match lstm, 2 x 6 with an alphabet of 7: expected "


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict.clear, [NO_MODEL, "found nothing"]),
        (without("rnn.weight_hh_l0"), [NO_MODEL]),
        (without("head.bias"), [NO_MODEL, "'head.weight' [7, 6]"]),
        (changed(norm__weight=zeros(6), norm__bias=zeros(6)), [NO_MODEL, "'norm.bias' [6]"]),
        (changed(position__weight=zeros(9, 3)), [NO_MODEL, "'position.weight' [9, 3]"]),
        (without("rnn.bias_hh_l1"), [NO_MATCH + "'rnn.bias_hh_l1' [24]; found nothing else"]),
        (without("embedding.weight"), ["expected 'rnn.weight_ih_l0' [24, 7]", "[24, 3]"]),
        (changed(scale=zeros()), [NO_MATCH + "nothing else; found 'scale' []"]),
        (changed(rnn__weight_hr_l0=zeros(3, 6)), ["found 'rnn.weight_hr_l0' [3, 6]"]),
        (changed(rnn__weight_hh_l0_reverse=zeros(24, 6)), ["found 'rnn.weight_hh_l0_reverse'"]),
        (changed(rnn__weight_ih_l1=zeros(24, 9)), ["'rnn.weight_ih_l1' [24, 6]", "[24, 9]"]),
        (changed(rnn__weight_hh_l0=zeros(25, 6)), ["does not match rnn", "[25, 6]"]),
        (changed(rnn__weight_hh_l0=zeros(24)), ["hidden_size"]),
        (changed(rnn__weight_hh_l0=zeros(0, 0)), ["hidden_size"]),
        (changed(head__weight=zeros()), ["found", "'head.weight' []"]),
        (changed(embedding__weight=zeros(7)), ["'embedding.weight' [7]"]),
        (changed(embedding__weight=zeros(7, 3, 1)), ["'embedding.weight' [7, 3, 1]"]),
        (changed(head__bias=zeros(7, dtype=np.int8)), ["'head.bias'", "float32"]),
        (spoiled(np.nan), ["'head.weight'", "not finite"]),
        (spoiled(np.inf), ["'head.weight'", "not finite"]),
    ],
)
def test_other_tensors_are_refused_with_what_was_expected_and_found(torch_file, change, words):
    tensors = state_dict()
    change(tensors)
    path = torch_file(tensors)
    for source, name in ((path, str(path)), (tensors, "the state dict")):
        with pytest.raises(CheckpointError) as caught:
            charrnn.from_torch(source, CORPUS)
        message = str(caught.value)
        assert name in message
        assert "\n" not in message
        for word in words:
            assert word in message


def test_numbers_that_float32_cannot_hold_are_refused():
    tensors = state_dict() | {"head.bias": np.full(7, 1e300)}
    with pytest.raises(CheckpointError, match=r"'head\.bias' in the state dict .* not finite"):
        charrnn.from_torch(tensors, CORPUS)


def test_too_many_layers_are_refused(torch_file):
    tensors = state_dict()
    for layer in range(2, 9):
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            tensors[f"rnn.{kind}_l{layer}"] = tensors[f"rnn.{kind}_l1"]
    with pytest.raises(CheckpointError, match="num_layers"):
        charrnn.from_torch(torch_file(tensors), CORPUS)


def test_shapes_are_checked_before_a_tensor_is_read():
    class Unread:
        shape = (1 << 40, 1 << 40)

        def numpy(self, force):  # noqa: ARG002 (torch's signature)
            pytest.fail("was read")

    tensors = dict.fromkeys(state_dict(), Unread())
    with pytest.raises(CheckpointError, match="cannot be imported: hidden_size"):
        charrnn.from_torch(tensors, CORPUS)


def test_a_name_is_one_short_line(torch_file):
    tensors = state_dict() | {"\x1b[2J\n" * 1000: zeros(1)}
    with pytest.raises(CheckpointError) as caught:
        charrnn.from_torch(torch_file(tensors), CORPUS)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1000


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"corpus": Corpus.from_texts("abc")},
            "alphabet of 7 characters, but the corpus has one of 3",
        ),
        ({"alphabet": "abc\n"}, "alphabet of 7 characters, but alphabet has one of 4"),
        ({"alphabet": "\n abcde\n\n"}, "alphabet of 7 characters, but alphabet has one of 9"),
    ],
)
def test_an_alphabet_of_another_size_is_refused(given, words):
    with pytest.raises(CheckpointError, match=words):
        charrnn.from_torch(state_dict(), **given)


def test_an_alphabet_with_a_character_twice_is_refused():
    with pytest.raises(ConfigError, match="alphabet"):
        charrnn.from_torch(state_dict(), alphabet="\n abcda")


@pytest.mark.parametrize("given", [{}, {"corpus": CORPUS, "alphabet": ALPHABET}])
def test_there_is_one_source_of_the_alphabet(given):
    with pytest.raises(ConfigError, match="either a corpus or alphabet"):
        charrnn.from_torch(state_dict(), **given)


def test_what_is_no_state_dict_is_a_type_error():
    with pytest.raises(TypeError, match=r"model\.state_dict\(\)"):
        charrnn.from_torch(object(), CORPUS)
    with pytest.raises(TypeError, match="optimizer must be a tensor"):
        charrnn.from_torch({"optimizer": {"lr": 0.1}}, CORPUS)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02}q\x00.", b""], ids=repr)
def test_a_pickle_is_never_read(tmp_path, start):
    (tmp_path / "model.pt").write_bytes(start + b"x" * 100)
    with pytest.raises(CheckpointError, match=r"safetensors\.torch\.save_file"):
        charrnn.from_torch(tmp_path / "model.pt", CORPUS)


def test_a_model_of_charrnn_needs_no_import(model_file):
    with pytest.raises(CheckpointError, match="is a charrnn model"):
        charrnn.from_torch(model_file, CORPUS)


# ---- the command ---------------------------------------------------------------------------------


@pytest.fixture
def corpus_path(tmp_path):
    (tmp_path / "novel.txt").write_text("a bad cab\naced e", "utf-8")
    return tmp_path / "novel.txt"


def test_import_is_from_torch_and_save(cli, torch_file, corpus_path, tmp_path):
    path = torch_file(state_dict())
    result = cli("import", path, corpus_path, "-o", "cli.safetensors")
    assert (result.code, result.out) == (0, "")
    assert "lstm, 2 x 6, 670 parameters, alphabet of 7" in result.err
    charrnn.from_torch(path, corpus_path).save(tmp_path / "python.safetensors")
    one, other = (tmp_path / f"{name}.safetensors" for name in ("cli", "python"))
    assert one.read_bytes() == other.read_bytes()


def test_import_with_an_alphabet_from_a_file_takes_its_characters_as_they_are(
    cli, torch_file, tmp_path
):
    (tmp_path / "alphabet.txt").write_bytes("\r\né\xa0abc\n".encode("latin-1"))
    options = ("--alphabet", "alphabet.txt", "--encoding", "latin-1", "-o", "out.safetensors")
    assert cli("import", torch_file(state_dict()), *options).code == 0
    assert charrnn.load(tmp_path / "out.safetensors").tokenizer.alphabet == "\r\né\xa0abc"


@pytest.mark.parametrize(
    ("content", "word"), [(b"\xff", "not valid UTF-8"), (b"a" * 1200000, "too long")]
)
def test_a_file_that_is_no_alphabet_is_refused(cli, torch_file, tmp_path, content, word):
    (tmp_path / "alphabet.txt").write_bytes(content)
    path = torch_file(state_dict())
    result = cli("import", path, "--alphabet", "alphabet.txt", "-o", "out.safetensors")
    assert_refused(result, 1, "alphabet.txt", word)


def test_an_imported_model_can_be_used_like_any_other(cli, torch_file, corpus_path):
    assert cli("import", torch_file(state_dict()), corpus_path, "-o", "m.safetensors").code == 0
    assert len(cli("sample", "m.safetensors", "--length", 9, "--seed", 1).out) == 9
    assert "nats per character" in cli("evaluate", "m.safetensors", corpus_path).out
    info = cli("info", "m.safetensors")
    assert "training  unknown: the model was not trained with charrnn" in info.out
    assert "learning_rate" not in info.out
    corpus_path.write_text("a bad cab\naced e, " * 50, "utf-8")
    options = ("--max-steps", 2, "--workers", 1, "-o", "n.safetensors")
    trained = cli("train", corpus_path, "--init-from", "m.safetensors", *options)
    assert trained.code == 0
    assert cli("export", "m.safetensors", "m.html").code == 0


def test_import_replaces_a_model_only_if_told_to(cli, torch_file, corpus_path, tmp_path):
    path, model = torch_file(state_dict()), tmp_path / "m.safetensors"
    assert cli("import", path, corpus_path, "-o", model).code == 0
    before = model.read_bytes()
    torch_file(state_dict(ModelConfig("gru", 4, 1, 0)))
    result = cli("import", path, corpus_path, "-o", model)
    assert_refused(result, 1, "m.safetensors already exists; pass --overwrite to replace it")
    assert model.read_bytes() == before
    assert cli("import", path, corpus_path, "-o", model, "--overwrite").code == 0
    assert charrnn.load(model).config.cell == "gru"


def test_import_never_replaces_what_charrnn_did_not_write(cli, torch_file, corpus_path):
    path = torch_file(state_dict())
    before = path.read_bytes()
    result = cli("import", path, corpus_path, "-o", path, "--overwrite")
    assert_refused(result, 1, "was not written by charrnn")
    assert path.read_bytes() == before
    assert load_file(path)


def test_a_target_that_cannot_be_written_is_found_before_anything_is_read(cli):
    result = cli("import", "missing.safetensors", "missing.txt", "-o", "no/folder.safetensors")
    assert_refused(result, 1, "no does not exist")


def test_a_bad_state_dict_is_found_before_the_corpus_is_read(cli, torch_file):
    result = cli("import", torch_file({}), "missing.txt", "-o", "out.safetensors")
    assert_refused(result, 1, "is not a character model")
