"""Only what a constraint allows is written, with the odds that it leaves."""

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
    """After each of the characters in `after` come only those that it lists."""

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
def test_only_what_the_constraint_allows_is_drawn(model, temperature, filters):
    texts = generate(
        model, length=60, num_samples=4, temperature=temperature, constraint=AB, **filters
    )
    assert all(set(text[::2]) == {"a"} and set(text[1::2]) <= set("bc") for text in texts)
    assert len(set(texts)) > 1 or temperature < 1 or filters


def test_what_is_allowed_keeps_its_odds():
    p = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.075, 0.025])  # of \n, space, a, b, c, d, e
    constraint = InTurn(dict.fromkeys(["", *ALPHABET], "de"))
    text = generate(constant_model(p), length=4000, constraint=constraint)[0]
    assert set(text) == {"d", "e"}
    assert abs(text.count("d") / 4000 - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 4000)


def test_filters_look_at_what_is_allowed_alone():
    p = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.075, 0.025])
    constraint = InTurn(dict.fromkeys(["", *ALPHABET], "de"))
    text = generate(constant_model(p), length=50, constraint=constraint, top_k=1)[0]
    assert text == 50 * "d"


def test_a_constraint_that_allows_all_changes_nothing(model):
    assert generate(model, seed=1, num_samples=3, constraint=InTurn({})) == generate(
        model, seed=1, num_samples=3
    )


def test_each_text_of_a_batch_has_a_state_of_its_own():
    constraint = InTurn({"": "ab", "a": "a", "b": "b"})
    texts = generate(
        constant_model(np.ones(7) / 7), length=9, num_samples=20, constraint=constraint
    )
    assert set(texts) == {9 * "a", 9 * "b"}


def test_the_constraint_goes_on_from_the_prompt(model):
    assert set(generate(model, "aba", length=31, constraint=AB)[0][1::2]) == {"a"}


@pytest.mark.parametrize("documents", ["whole", "paragraphs"])
def test_a_prompt_that_is_not_allowed_is_told_with_its_place(documents):
    model = random_model(documents=documents)
    with pytest.raises(ConfigError, match=r"character 4 cannot be 'a' after 'aba': .*one of 'bc'"):
        generate(model, "abaa", constraint=AB)


def test_texts_that_have_ended_do_not_disturb_the_others():
    constraint = InTurn({"": "a", "a": "a\n", "\n": "\n"})
    model = constant_model(np.ones(7) / 7, documents="paragraphs")
    texts = generate(model, length=100, num_samples=10, constraint=constraint)
    assert len(set(texts)) > 1
    assert all(set(text) == {"a"} for text in texts)


class Fond(InTurn):
    """A constraint that makes an "e" nine times as likely."""

    def bias(self, _state):
        return np.array([math.log(9) * (c == "e") for c in self.alphabet])


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_a_bias_is_a_factor_whatever_the_temperature(temperature):
    constraint = Fond(dict.fromkeys(["", *ALPHABET], "de"))
    p = np.ones(7) / 7
    (text,) = generate(
        constant_model(p), length=2000, constraint=constraint, temperature=temperature
    )
    assert text.count("e") / 2000 == pytest.approx(0.9, abs=0.03)


def test_what_a_constraint_costs_is_told():
    forgone = np.zeros(3)
    constraint = InTurn({"": "a", "a": "ab", "b": "b"})
    model, options, rng = constant_model(np.arange(1, 8) / 28), SamplingOptions(), generator(0, 0)
    drawn = draw(model, [""] * 3, 30, options, rng, constraint=constraint, forgone=forgone)
    texts = collected(3, drawn)
    share = {"": 3 / 28, "a": 7 / 28, "b": 4 / 28}  # "a" is the third character of the alphabet
    costs = [-sum(math.log(share[c]) for c in ["", *text[:-1]]) for text in texts]
    assert forgone == pytest.approx(costs, rel=1e-4)


def test_a_sample_that_has_ended_costs_no_more():
    forgone = np.zeros(2)
    constraint = InTurn({"": "a", "a": "a\n", "\n": "\n"})
    model, options = constant_model(np.ones(7) / 7, documents="lines"), SamplingOptions()
    rng = generator(1, SAMPLE)
    drawn = draw(model, [""] * 2, 500, options, rng, constraint=constraint, forgone=forgone)
    texts = collected(2, drawn)
    assert len(texts[0]) != len(texts[1])
    assert forgone == pytest.approx([math.log(7) + len(text) * math.log(3.5) for text in texts])


def test_a_constraint_that_allows_nothing_is_at_fault(model):
    with pytest.raises(CharRNNError, match="the constraint allows no character"):
        generate(model, constraint=InTurn({"": "a", "a": ""}))


def test_a_constraint_for_another_alphabet_is_refused(model):
    with pytest.raises(ConfigError, match="another alphabet"):
        generate(model, constraint=InTurn({}, "xyz"))


def test_a_network_that_knows_nothing_writes_tunes_under_a_grammar():
    alphabet = "\n/1234568:CKM]abcdefgjmz|"
    model = constant_model(np.ones(25) / 25, alphabet, documents="paragraphs")
    grammar = tune_grammar(alphabet, meter=(6, 8), key=Key("C"), bars=4)
    texts = generate(model, length=2000, num_samples=3, constraint=grammar)
    assert len(set(texts)) == 3
    for text in texts:
        grammar.check(text)
