"""Song: which bar lines may end a bar, and what stands after them."""

import pytest

from charrnn.errors import ConfigError
from charrnn.music.grammar.song import INNER, MAX_BARS, MAX_TITLE, Song
from charrnn.music.grammar.words import Alphabet, bitset, members
from charrnn.music.tune import Key

ALL = Alphabet("\n#/0123456789:ABCDEFGKMT[]|abcdefghijlmnoprxy")
FULL = 24  # ticks of a bar in 6/8
ONCE, REPEATED = ("M:6/8\n", "K:Dmaj\n"), ("M:6/8\n", "K:Dmaj\n|:")


def song(**asked):
    asked = {"alphabet": ALL, "fills": bitset(range(65)), "can_begin": lambda _: True} | asked
    return Song(**asked)


def after(machine, *lines):
    """Return the state after lines: of the header, of full bars, or with the ticks of their bar."""
    state = machine.start
    for line in lines:
        line, ticks = line if isinstance(line, tuple) else (line, FULL)
        assert line in dict(machine.ends(state))
        state = machine.after(state, line, ticks)
    return state


def lines(machine, *before):
    """Return the lines that may follow others, each with the ticks that the bar may have."""
    return {line.strip(): members(times) for line, times in machine.ends(after(machine, *before))}


# ---- sections ----------------------------------------------------------------------------------


def test_a_section_without_repeat_may_end_or_continue():
    assert set(lines(song(), *ONCE, "|")) == {"|", "||", "|:", "|]"}


def test_a_section_with_repeat_ends_with_a_repeat_sign_or_with_endings():
    assert set(lines(song(), *REPEATED, "|")) == {"|", "|1", ":|", "::"}
    assert set(lines(song(), *REPEATED, "|", "|1")) == {"|", ":|2"}
    assert set(lines(song(), *REPEATED, "|", "|1", ":|2")) == {"|", "||", "|:", "|]"}


def test_a_tune_of_the_most_bars_must_end():
    assert set(lines(song(), *ONCE, *["|"] * (MAX_BARS - 1))) == {"|]"}


def test_after_a_tune_comes_another():
    assert after(song(), *ONCE, "|]\n\n") == song().start


def test_lines_that_the_alphabet_lacks_may_not_stand():
    alphabet = Alphabet(ALL.characters.replace("1", ""))
    assert set(lines(song(alphabet=alphabet), *REPEATED, "|")) == {"|", ":|", "::"}


def test_a_section_is_not_opened_if_it_cannot_be_closed():
    machine = song(alphabet=Alphabet(ALL.characters.replace("]", "")), bars=3)
    assert set(lines(machine, *REPEATED, "|")) == {"|", "::"}


# ---- the number of bars ------------------------------------------------------------------------


def test_the_tune_ends_after_the_bars_asked_for():
    machine = song(bars=3)
    assert "|]" not in lines(machine, *ONCE, "|")
    assert set(lines(machine, *ONCE, "|", "|")) == {"|]"}


@pytest.mark.parametrize("form", ["", "AA", "AB"])
def test_a_tune_may_have_hundreds_of_bars(form):
    machine = song(bars=256, form=form)
    begun = after(machine, *(ONCE if form == "AB" else REPEATED))
    assert begun.size == 256 // (2 if form == "AB" else 1)


def test_a_second_ending_counts_instead_of_the_first():
    machine = song(bars=3)
    endings = (*REPEATED, "|1", "|", ":|2")
    assert after(machine, *endings).bars == 1
    assert set(lines(machine, *endings, "|")) == {"|]"}


def test_the_bars_of_a_first_ending_are_counted():
    machine = song()
    counts = [
        after(machine, *REPEATED, "|", "|1", *["|"] * more).bars_of_first_ending
        for more in range(3)
    ]
    assert counts == [1, 2, 3]


# ---- pick-ups ----------------------------------------------------------------------------------


def test_a_tune_may_begin_with_a_pick_up_that_counts_no_bar():
    machine = song()
    first = after(machine, *ONCE)
    assert first.is_pickup(4)
    assert not first.is_pickup(FULL)
    assert lines(machine, *ONCE)["|"] == list(range(1, FULL + 1))
    second = after(machine, *ONCE, ("|", 4))
    assert (second.bars, second.upbeat, second.pickup) == (0, 4, 4)
    assert not second.is_pickup(4)


def test_only_the_first_bar_of_a_section_is_a_pick_up():
    assert lines(song(), *ONCE, "|")["|"] == [FULL]


def test_a_repeat_ends_with_the_bar_that_completes_its_pick_up():
    pickup = (*REPEATED, ("|", 4))
    assert lines(song(), *pickup)[":|"] == [FULL - 4]
    assert lines(song(), *pickup, "|")["|1"] == [FULL]
    assert lines(song(), *pickup, "|", "|1")[":|2"] == [FULL - 4]


def test_a_short_bar_leaves_a_pick_up_to_the_next_section():
    short = (*ONCE, "|", ("||", 20))
    owing = after(song(), *short)
    assert owing.owed == 4
    assert lines(song(), *short) == {"|": [4], "|:": [4]}


def test_a_section_after_a_full_bar_has_no_pick_up():
    begun = (*ONCE, ("|", 4), "|", "||")
    assert lines(song(), *begun) == {line: [FULL] for line in ("|", "||", "|:", "|]")}


def test_a_section_may_end_with_a_short_bar_that_the_next_pick_up_completes():
    assert lines(song(), *ONCE, "|")["||"] == list(range(1, FULL + 1))


def test_the_first_pick_up_is_kept_beside_that_of_the_section():
    begun = after(song(), *ONCE, ("|", 4), ("||", 16), ("|", 8))
    assert (begun.upbeat, begun.pickup) == (4, 8)


def test_the_last_bar_may_complete_the_first_pick_up():
    assert lines(song(), *ONCE, ("|", 4), "|")["|]"] == [FULL - 4, FULL]


def test_a_pick_up_and_the_bar_that_completes_it_can_be_filled():
    quarters = song(fills=bitset([0, 8, 16, FULL]))
    assert lines(quarters, *ONCE)["|"] == [8, 16, FULL]
    without_halves = song(fills=bitset([0, 8, FULL]))
    assert lines(without_halves, *ONCE)["|"] == [FULL]


# ---- the form ----------------------------------------------------------------------------------


def test_sections_repeat_as_the_form_says():
    machine = song(form="AAB", meter=(6, 8), key=Key("D"))
    assert set(lines(machine, "M:6/8\n")) == {"K:Dmaj\n|:"}
    assert set(lines(machine, *REPEATED, "|")) == {"|", "|1", ":|"}
    assert set(lines(machine, *REPEATED, ":|")) == {"|]"}  # as many bars as the first


def test_all_sections_have_the_bars_of_the_first():
    machine = song(form="AAB")
    two_bars = (*REPEATED, "|", ":|")
    assert set(lines(machine, *two_bars)) == {"|"}
    assert set(lines(machine, *two_bars, "|")) == {"|]"}


def test_all_sections_have_the_pick_up_of_the_first():
    machine = song(form="AB")
    section = (*ONCE, ("|", 4), "|")
    assert lines(machine, *section)["||"] == [FULL - 4]
    assert after(machine, *section, ("||", FULL - 4)).owed == 4


def test_a_pick_up_does_not_close_a_section():
    assert lines(song(form="ABB"), *ONCE)["|:"] == [FULL]


def test_both_endings_have_as_many_bars():
    machine = song(form="AAB", bars=6)
    assert set(lines(machine, *REPEATED, "|1")) == {"|"}
    assert set(lines(machine, *REPEATED, "|1", "|")) == {":|2"}
    machine = song(form="AAB")
    assert set(lines(machine, *REPEATED, "|1", "|", ":|2")) == {"|"}
    assert set(lines(machine, *REPEATED, "|1", "|", ":|2", "|")) == {"||"}


def test_a_section_that_comes_back_has_no_endings():
    assert "|1" not in lines(song(form="AABA"), *REPEATED, "|")
    assert "|1" in lines(song(form="AAB"), *REPEATED, "|")


@pytest.mark.parametrize(
    ("form", "closing"),
    [("AABB", ["::", ":|\n\n"]), ("AABA", [":|", "||", "|]\n\n"]), ("ABB", ["|:", ":|\n\n"])],
)
def test_each_section_has_a_line_that_closes_it(form, closing):
    machine = song(form=form)
    assert [machine.closing_line(section) for section in range(len(closing))] == closing
    assert not set(closing) & set(INNER)


# ---- the header --------------------------------------------------------------------------------


def test_a_tune_begins_with_its_meter_and_key():
    machine = song(meter=(6, 8), key=Key("D"))
    assert machine.start.in_header
    assert set(lines(machine)) == {"M:6/8"}
    assert after(machine, "M:6/8\n").in_header
    assert set(lines(machine, "M:6/8\n")) == {"K:Dmaj", "K:Dmaj\n|:"}
    begun = after(machine, *REPEATED)
    assert not begun.in_header
    assert (begun.meter, begun.key, begun.full_bar) == ((6, 8), Key("D"), FULL)


def test_a_key_in_which_no_note_can_be_written_may_not_stand():
    machine = song(can_begin=lambda key: key == Key("D"))
    assert set(lines(machine, "M:6/8\n")) == {"K:Dmaj", "K:Dmaj\n|:"}
    with pytest.raises(ConfigError, match="cannot write these tunes"):
        song(can_begin=lambda _: False)


def test_a_form_that_no_lines_can_close_is_an_error():
    with pytest.raises(ConfigError, match="cannot write these tunes: the alphabet lacks ']'"):
        song(form="A", alphabet=Alphabet(ALL.characters.replace("]", "")))


def test_a_title_is_words_up_to_the_most():
    machine = song(titles=True)
    assert {"T:", "M:6/8"} <= set(lines(machine))
    assert not {"|", ":", ""} & set(lines(machine, "T:"))
    assert {"", "|", "A"} <= set(lines(machine, "T:", "A"))
    assert list(machine.ends(after(machine, "T:", *["A"] * MAX_TITLE))) == [("\n", 1)]
    assert after(machine, "T:", "A", "\n") == song().start
