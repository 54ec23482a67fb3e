"""Only characters that a constraint allows are sampled, with unchanged odds."""

import math

import numpy as np
import pytest

from charrnn.errors import CharRNNError, ConfigError
from charrnn.inference.sampling import SamplingOptions, collected, draw, generate
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.tune import Key
from charrnn.rng import SAMPLE, generator
from tests.inference.models import ALPHABET, constant_model, random_model


class InTurn:
    """Each character in `after` may only be followed by those listed for it."""

    start = ""

    def __init__(self, after, alphabet=ALPHABET):
        self.after, self.alphabet = after, alphabet

    def allowed(self, state):
        return np.array([c in self.after.get(state, self.alphabet) for c in self.alphabet])

    def advance(self, _state, character):
        return character


AB = InTurn({"": "a", "a": "bc", "b": "a", "c": "a"})


@pytest.mark.parametrize("temperature", [0, 0.5, 3.0])
@pytest.mark.parametrize("filters", [{}, {"top_k": 1}, {"top_p": 0.5, "min_p": 0.1}], ids=str)
def test_only_allowed_characters_are_sampled(model, temperature, filters):
    texts = generate(
        model, length=60, num_samples=4, temperature=temperature, constraint=AB, **filters
    )
    assert all(set(text[::2]) == {"a"} and set(text[1::2]) <= set("bc") for text in texts)
    assert len(set(texts)) > 1 or temperature < 1 or filters


def test_allowed_characters_keep_their_odds():
    p = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.075, 0.025])  # of \n, space, a, b, c, d, e
    constraint = InTurn(dict.fromkeys(["", *ALPHABET], "de"))
    text = generate(constant_model(p), length=4000, constraint=constraint)[0]
    assert set(text) == {"d", "e"}
    assert abs(text.count("d") / 4000 - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 4000)


def test_filters_apply_to_allowed_characters_only():
    p = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.075, 0.025])
    constraint = InTurn(dict.fromkeys(["", *ALPHABET], "de"))
    text = generate(constant_model(p), length=50, constraint=constraint, top_k=1)[0]
    assert text == 50 * "d"


def test_a_constraint_that_allows_everything_changes_nothing(model):
    assert generate(model, seed=1, num_samples=3, constraint=InTurn({})) == generate(
        model, seed=1, num_samples=3
    )


def test_each_sample_has_its_own_constraint_state():
    constraint = InTurn({"": "ab", "a": "a", "b": "b"})
    texts = generate(
        constant_model(np.ones(7) / 7), length=9, num_samples=20, constraint=constraint
    )
    assert set(texts) == {9 * "a", 9 * "b"}


def test_the_constraint_reads_the_prompt(model):
    assert set(generate(model, "aba", length=31, constraint=AB)[0][1::2]) == {"a"}


@pytest.mark.parametrize("documents", ["whole", "paragraphs"])
def test_a_prompt_that_is_not_allowed_is_refused_with_the_position(documents):
    model = random_model(documents=documents)
    with pytest.raises(ConfigError, match=r"character 4 of the prompt cannot be 'a' after 'aba'"):
        generate(model, "abaa", constraint=AB)


def test_samples_that_have_ended_do_not_affect_the_others():
    constraint = InTurn({"": "a", "a": "a\n", "\n": "\n"})
    model = constant_model(np.ones(7) / 7, documents="paragraphs")
    texts = generate(model, length=100, num_samples=10, constraint=constraint)
    assert len(set(texts)) > 1
    assert all(set(text) == {"a"} for text in texts)


class PrefersE(InTurn):
    """A constraint that makes an "e" nine times as likely."""

    def bias(self, _state):
        return np.array([math.log(9) * (c == "e") for c in self.alphabet])


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_a_bias_is_the_same_factor_at_every_temperature(temperature):
    constraint = PrefersE(dict.fromkeys(["", *ALPHABET], "de"))
    p = np.ones(7) / 7
    (text,) = generate(
        constant_model(p), length=2000, constraint=constraint, temperature=temperature
    )
    assert text.count("e") / 2000 == pytest.approx(0.9, abs=0.03)


def test_the_cost_of_a_constraint_is_measured():
    costs = np.zeros(3)
    constraint = InTurn({"": "a", "a": "ab", "b": "b"})
    model, options, rng = constant_model(np.arange(1, 8) / 28), SamplingOptions(), generator(0, 0)
    drawn = draw(model, [""] * 3, 30, options, rng, constraint=constraint, costs=costs)
    texts = collected(3, drawn)
    share = {"": 3 / 28, "a": 7 / 28, "b": 4 / 28}  # "a" is the third character of the alphabet
    expected = [-sum(math.log(share[c]) for c in ["", *text[:-1]]) for text in texts]
    assert costs == pytest.approx(expected, rel=1e-4)


def test_a_sample_that_has_ended_adds_no_cost():
    costs = np.zeros(2)
    constraint = InTurn({"": "a", "a": "a\n", "\n": "\n"})
    model, options = constant_model(np.ones(7) / 7, documents="lines"), SamplingOptions()
    rng = generator(1, SAMPLE)
    drawn = draw(model, [""] * 2, 500, options, rng, constraint=constraint, costs=costs)
    texts = collected(2, drawn)
    assert len(texts[0]) != len(texts[1])
    assert costs == pytest.approx([math.log(7) + len(text) * math.log(3.5) for text in texts])


def test_a_constraint_that_allows_nothing_is_an_error(model):
    with pytest.raises(CharRNNError, match="the constraint is incomplete: it allows no character"):
        generate(model, constraint=InTurn({"": "a", "a": ""}))


def test_a_constraint_for_another_alphabet_is_refused(model):
    with pytest.raises(ConfigError, match="different alphabets"):
        generate(model, constraint=InTurn({}, "xyz"))


def test_an_untrained_network_writes_valid_tunes_under_a_grammar():
    alphabet = "\n/1234568:CKM]abcdefgjmz|"
    model = constant_model(np.ones(25) / 25, alphabet, documents="paragraphs")
    grammar = tune_grammar(alphabet, meter=(6, 8), key=Key("C"), bars=4)
    texts = generate(model, length=2000, num_samples=3, constraint=grammar)
    assert len(set(texts)) == 3
    for text in texts:
        grammar.check(text)
