"""Facts about a tune in a player's words."""

from fractions import Fraction

from charrnn.music.abc_parser import read_abc
from charrnn.music.assess import assess
from charrnn.music.facts import facts_of, figures_of, listing
from charrnn.music.metrics import Sample
from charrnn.music.tune import Bar, Key, Note, Tune

AIR = "X:1\nT:Air\nM:2/4\nL:1/8\nK:D\n|:DEFG|A2d2|AGFE|D4:|\n|:d2A2|FAGE|DEFE|{}:|\n"


def tune(music):
    return read_abc(music).tunes[0]


def test_a_tune_that_is_as_it_should_be():
    assert facts_of(tune(AIR.format("D4"))) == {
        "key": "D major",
        "meter": "2/4",
        "range": "D4 to D5",
        "bars add up": "yes",
        "ends on the tonic": "yes",
        "sections that do": "2 of 2",
    }


def test_what_is_wrong_is_said():
    facts = facts_of(tune(AIR.format("E2F2").replace("AGFE", "AGF").replace("DEFE", "DEFEF")))
    assert facts["bars add up"] == "no: bars 3, 7"
    assert facts["ends on the tonic"] == "no"
    assert facts["sections that do"] == "1 of 2"


def test_the_longest_passage_from_a_corpus_is_named():
    air = tune(AIR.format("D4"))
    name = "longest passage from the corpus"
    assert facts_of(air, Sample([air.transposed(2)]))[name] == '22 notes from "Air"'
    other = Sample([tune("M:2/4\nK:C\nc4|\n\n")])
    assert facts_of(air, other)[name] == "none"


def test_a_tune_without_notes_or_meter_has_fewer_facts():
    rest = Tune((Bar((Note(None, Fraction(1)),)),), Key("E", "min"), None)
    assert facts_of(rest) == {"key": "E minor", "bars add up": "yes"}


def test_a_listing_has_a_line_for_each_tune():
    airs = [tune(AIR.format("D4")), Tune((Bar((Note(60, Fraction(1)),)),), title="x" * 31)]
    lines = listing(assess(airs, each=True).each)
    assert lines[0].split("  ")[-1] == "sections that do"
    assert lines[1].split()[:4] == ["1", "Air", "D", "major"]
    assert lines[2].split()[:4] == ["2", "x" * 29 + "…", "C", "major"]
    assert lines[2].endswith("-"), "a single section"


def test_the_figures_have_labels_and_units():
    figures = figures_of(Sample([tune(AIR.format("D4"))]))
    assert figures["bars that add up"] == "100.0%"
    assert "tunes" not in figures
