import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction

import pytest

from charrnn.music.layout import beat, measures_of, systems_of
from charrnn.music.piano_roll import piano_roll
from charrnn.music.tune import Bar, Key, Note, Tune

SVG = "{http://www.w3.org/2000/svg}"
EIGHTH, QUARTER, DOTTED = Fraction(1, 8), Fraction(1, 4), Fraction(3, 8)


def notes(*pitches, duration=EIGHTH):
    return tuple(Note(pitch, duration) for pitch in pitches)


# |:A|dfa DFA|1 d2z d2-:|2 d6|] in D, 6/8
JIG = Tune(
    (
        Bar(notes(69), opens=True),
        Bar(notes(74, 78, 81, 62, 66, 69)),
        Bar(
            (Note(74, QUARTER), Note(None, EIGHTH), Note(74, QUARTER, tied=True)),
            ending=1,
            repeats=True,
        ),
        Bar((Note(74, DOTTED * 2),), ending=2),
    ),
    Key("D"),
    (6, 8),
)


def drawn(tune, title=""):
    return ET.fromstring(piano_roll(tune, title))


def rects(tune):
    """Each note's number, place and width."""
    return [
        (int(rect.get("data-note")), *(float(rect.get(name)) for name in ("x", "y", "width")))
        for rect in drawn(tune).iter(f"{SVG}rect")
    ]


def test_every_written_note_is_drawn_once_in_order():
    assert [number for number, *_ in rects(JIG)] == list(range(10))


def test_a_note_is_drawn_at_its_time_and_pitch_with_its_duration():
    (_, x, y, width), (_, later, higher, _) = rects(JIG)[1:3]
    assert higher < y
    assert later - x == pytest.approx(width + 1.4, abs=0.2)
    long = rects(JIG)[7]
    assert long[3] + 1.4 == pytest.approx(2 * (width + 1.4), abs=0.2)


@pytest.mark.parametrize(("meter", "bars"), [((4, 4), 2), ((6, 8), 2), ((2, 4), 4)])
def test_a_narrow_drawing_has_two_bars_or_four_short_ones_per_line(meter, bars):
    """A pick-up and a second ending make no difference."""
    full = Fraction(*meter)
    section = [Bar((Note(60, full),))] * 7 + [Bar((Note(60, full),), ending=1, repeats=True)]
    pick_up = Bar((Note(60, full / 4),), opens=True)
    tune = Tune((pick_up, *section, Bar((Note(60, full),), ending=2)), meter=meter)
    lines = systems_of(measures_of(tune), narrow=True)
    assert [len(line) for line in lines] == [bars + 1] + [bars] * (8 // bars - 1) + [1]
    assert [len(line) for line in systems_of(measures_of(tune))] == ([10] if bars == 4 else [5, 5])
    assert ET.fromstring(piano_roll(tune, narrow=True)).get("viewBox").startswith("0 0 400 ")


def test_a_tied_note_reaches_the_next():
    bar = Bar((Note(60, QUARTER, tied=True), Note(60, QUARTER)))
    (_, x, _, width), (_, following, _, _) = rects(Tune((bar,)))
    assert x + width == pytest.approx(following, abs=0.11)


def test_other_bars_follow_each_other_without_a_gap():
    (_, x, _, width), (_, following, _, _) = rects(Tune((Bar(notes(60)), Bar(notes(62)))))
    assert following - (x + width) == pytest.approx(1.4, abs=0.11)


def test_a_repeat_sign_has_room_before_the_next_ending():
    (_, x, _, width), (_, following, _, _) = rects(JIG)[-2:]
    assert following - (x + width) > 10


def test_key_meter_and_endings_are_labeled():
    texts = ["".join(text.itertext()) for text in drawn(JIG, "A jig").iter(f"{SVG}text")]
    assert texts[0] == "A jig"
    assert {"D major, 6/8", "1.", "2.", "D"} <= set(texts)
    dots = list(drawn(JIG).iter(f"{SVG}circle"))
    assert len(dots) == 4, "two open the repeat, two close it"


def test_changes_of_key_and_meter_are_labeled_where_they_take_effect():
    tune = replace(JIG, bars=(*JIG.bars, Bar(notes(70), key=Key("Bb", "dor"), meter=(3, 4))))
    texts = ["".join(text.itertext()) for text in drawn(tune).iter(f"{SVG}text")]
    assert "B♭ dorian, 3/4" in texts


def systems(tune):
    """Where the systems begin on paper: the upper ends of their bar lines."""
    lines = (path for path in drawn(tune).iter(f"{SVG}path") if path.get("class") == "line")
    return {line.get("d").split("v")[0].split()[-1] for line in lines}


@pytest.mark.parametrize(
    ("count", "meter", "expected"),
    [(4, (4, 4), 1), (5, (4, 4), 1), (8, (6, 8), 2), (16, (4, 4), 4), (8, (2, 4), 1)],
)
def test_long_tunes_have_several_systems(count, meter, expected):
    bar = Bar((Note(60, Fraction(*meter)),))
    assert len(systems(Tune((bar,) * count, meter=meter))) == expected


def test_a_section_begins_a_system():
    section = (Bar(notes(60), opens=True), Bar(notes(62), repeats=True))
    assert len(systems(Tune(section * 2))) == 2


@pytest.mark.parametrize(
    "tune",
    [
        Tune(()),
        Tune((Bar(()),)),
        Tune((Bar((Note(None, Fraction(1)),)),), meter=None),
        Tune((Bar(notes(0, 127)),) * 3),
        Tune((Bar(notes(*range(40, 90)) * 20),), meter=None),
    ],
    ids=["no bar", "an empty bar", "a rest", "all octaves", "a long bar"],
)
def test_any_tune_can_be_drawn(tune):
    root = drawn(tune)
    width, height = map(float, root.get("viewBox").split()[2:])
    for rect in root.iter(f"{SVG}rect"):
        assert 0 <= float(rect.get("x")) <= float(rect.get("x")) + float(rect.get("width")) <= width
        assert (
            0 <= float(rect.get("y")) <= float(rect.get("y")) + float(rect.get("height")) <= height
        )


@pytest.mark.parametrize("title", ["</text><script>", "&\"'", "\x00\x1b[31m", "\ud800", "Ó Néill"])
def test_any_title_is_valid_xml(title):
    svg = piano_roll(JIG, title)
    svg.encode()
    assert ET.fromstring(svg).find(f"{SVG}text").text is not None
    assert "<script" not in svg


def test_the_same_tune_gives_the_same_drawing():
    assert piano_roll(JIG) == piano_roll(replace(JIG))


@pytest.mark.parametrize(
    ("meter", "expected"),
    [((4, 4), QUARTER), ((2, 2), 2 * QUARTER), ((3, 8), EIGHTH), ((9, 8), DOTTED), (None, QUARTER)],
)
def test_compound_meters_beat_in_threes(meter, expected):
    assert beat(meter) == expected
