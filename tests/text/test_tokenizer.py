"""Text is encoded and decoded without loss; characters that cannot be encoded are named."""

import numpy as np
import pytest

from charrnn.errors import CharRNNError, ConfigError, UnknownCharacterError
from charrnn.text.tokenizer import Tokenizer, describe


def distinct_characters(count):
    return "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)][:count]))


@pytest.mark.parametrize(
    "text",
    [
        "banana bread\n",
        "café, cafe\u0301",
        "👩\u200d🚀 and 🎶",
        "שלום עולם",
        "\0\t\r\n\x7f\ufeff\u2028\U0010ffff",
        "\ufeff🎶",
        distinct_characters(300),
    ],
    ids=["ascii", "accents", "emoji", "hebrew", "controls", "byte order mark", "300 characters"],
)
def test_decoding_restores_the_encoded_text(text):
    tokenizer = Tokenizer.from_text(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(
    ("count", "dtype"),
    [
        (1, np.uint8),
        (256, np.uint8),
        (257, np.uint16),
        (65_536, np.uint16),
        (65_537, np.uint32),
        (70_000, np.uint32),
    ],
)
def test_ids_have_the_smallest_dtype_for_the_alphabet(count, dtype):
    alphabet = distinct_characters(count)
    tokenizer = Tokenizer(alphabet)
    ids = tokenizer.encode(alphabet)
    assert len(tokenizer) == count
    assert ids.dtype == dtype
    np.testing.assert_array_equal(ids, np.arange(count))
    assert tokenizer.decode(ids) == alphabet


def test_the_alphabet_is_the_sorted_characters_of_all_texts():
    assert Tokenizer.from_text("bread", "", "Béla 🎶").alphabet == " Babdelré🎶"


def test_the_order_of_the_alphabet_is_the_order_of_ids():
    tokenizer = Tokenizer("zaé")
    np.testing.assert_array_equal(tokenizer.encode("aézz"), [1, 2, 0, 0])
    assert tokenizer.decode(np.array([2, 0], np.int64)) == "éz"


def test_an_empty_text_has_no_ids():
    tokenizer = Tokenizer("ab")
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.encode("").dtype == np.uint8
    assert tokenizer.decode(tokenizer.encode("")) == ""


def test_unknown_characters_are_named_with_their_code_points():
    with pytest.raises(UnknownCharacterError) as caught:
        Tokenizer("abc").encode("abc é\u200bé")
    message = str(caught.value)
    assert "' ' (U+0020 SPACE)" in message
    assert "'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)" in message
    assert "U+200B ZERO WIDTH SPACE" in message
    assert "more" not in message
    assert message.count("U+00E9") == 1


def test_at_most_five_unknown_characters_are_named():
    with pytest.raises(UnknownCharacterError, match=r"'a' .* 'e' .* and 3 more") as caught:
        Tokenizer("x").encode("hgfedcbaabcdefgh")
    assert str(caught.value).count("U+") == 5
    with pytest.raises(UnknownCharacterError, match=r"'e' [^)]*\); "):
        Tokenizer("x").encode("edcba")


@pytest.mark.parametrize("stranger", ["\0", "é", "\uffff", "\U0010ffff"])
def test_characters_below_between_and_beyond_the_alphabet_are_unknown(stranger):
    tokenizer = Tokenizer("aö")
    with pytest.raises(UnknownCharacterError):
        tokenizer.encode(f"a{stranger}")
    np.testing.assert_array_equal(tokenizer.encode(f"{stranger}aö{stranger}a", "skip"), [0, 1, 0])


def test_a_text_of_unknown_characters_is_skipped_entirely():
    assert Tokenizer("a").encode("xyz", unknown="skip").shape == (0,)


def test_unknown_characters_are_found_as_minus_one():
    np.testing.assert_array_equal(Tokenizer("ba").find("ab🎶"), [1, 0, -1])


def test_an_extended_alphabet_begins_with_the_old_one():
    tokenizer = Tokenizer("ba").extended("zabc🎶z")
    assert tokenizer.alphabet == "bacz🎶"


@pytest.mark.parametrize("use", [Tokenizer, Tokenizer.from_text, Tokenizer("ab").encode])
def test_a_lone_surrogate_is_refused_by_name(use):
    with pytest.raises(CharRNNError, match=r"U\+D83C"):
        use("ab\ud83c")


def test_an_empty_alphabet_is_refused():
    with pytest.raises(ConfigError, match="empty"):
        Tokenizer("")
    with pytest.raises(ConfigError, match="empty"):
        Tokenizer.from_text("", "")


def test_a_repeated_character_is_refused():
    with pytest.raises(ConfigError, match="repeats"):
        Tokenizer("abca")


def test_descriptions_distinguish_look_alikes():
    assert describe("a") == "'a' (U+0061 LATIN SMALL LETTER A)"
    assert describe("а") == "'а' (U+0430 CYRILLIC SMALL LETTER A)"
    assert describe("\n") == r"'\n' (U+000A)"
    assert describe("🎶") == "'🎶' (U+1F3B6 MULTIPLE MUSICAL NOTES)"


def test_unknown_characters_are_folded_or_else_skipped():
    tokenizer = Tokenizer.from_text("""abcdef '"-.\n""")
    for text, expected in [
        ("“café” – abc…", '"cafe" - abc...'),
        ("ж a🎶b\u200b", " ab"),
        ("ж", ""),
        ("abc", "abc"),
    ]:
        ids = tokenizer.encode(text, "fold")
        assert ids.dtype == tokenizer.dtype
        assert tokenizer.decode(ids) == expected


def test_unknown_must_be_a_choice():
    with pytest.raises(ConfigError, match="unknown must be one of error, fold, skip; got 'maybe'"):
        Tokenizer("ab").encode("ab", "maybe")
