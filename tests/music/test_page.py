"""The page as text, and in a real browser where one is installed."""

import io
import json
import re
import wave
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from charrnn.music.abc_parser import read_abc
from charrnn.music.midi_io import write_midi
from charrnn.music.page import PageTune, page
from charrnn.music.performance import Style
from charrnn.music.tune import Bar, Key, Note, Tune
from tests.chromium import Tab, assert_quiet
from tests.html import Reader

HOSTILE = "</script></pre><img src=x onerror=alert(1)>\"'&{title}\\1"
EIGHTH = Fraction(1, 8)
PITCHES = (69, 74, 78)
NOTES = tuple(Note(pitch, EIGHTH) for pitch in PITCHES)
TUNE = Tune((Bar(NOTES, opens=True, repeats=True),), Key("D"), (3, 8))
LONG = Tune((Bar((Note(60, Fraction(100)),)),))


def shown(title="A tune", music=None, **options):
    options = {"abc": "X:1\nK:D\n|:Adf:|\n", "tempo": 150.0} | options
    return PageTune(title, music or TUNE, **options)


def test_a_page_shows_what_it_is_given():
    facts, figures = {"bars add up": "yes"}, {"notes in the key": "98.0%"}
    tune = shown(facts=facts, figures=figures, settings="seed 7")
    read = Reader(page([tune], "From a model"))
    assert not read.open
    assert read.texts["h1"] == read.texts["title"] == ["From a model"]
    assert read.texts["h2"] == ["A tune", "Kept"]
    assert read.texts["pre"] == ["X:1\nK:D\n|:Adf:|\n"]
    assert dict(zip(read.texts["th"], read.texts["td"], strict=True)) == facts | figures
    assert "seed 7" in read.texts["p"]


def test_titles_and_settings_are_escaped():
    words = {HOSTILE: HOSTILE}
    hostile = shown(HOSTILE, abc=HOSTILE, facts=words, figures=words, settings=HOSTILE)
    text = page([hostile, hostile], HOSTILE)
    read = Reader(text)
    assert not read.open
    assert not read.all("img")
    assert len(read.all("script")) == 1
    assert all(not name.startswith("on") for _, found in read.elements for name in found)
    for tag in ("title", "h1", "h2", "pre", "th", "td", "p"):
        assert set(read.texts[tag]) - {"Kept"} == {HOSTILE}


def test_characters_that_xml_forbids_are_replaced():
    page([shown("\x00\ud800\x1b[31m")]).encode()


def test_the_page_makes_no_requests():
    text = page([shown(), shown()])
    read = Reader(text)
    assert not read.all("link")
    assert all(not {"src", "href", "action"} & set(found) for _, found in read.elements)
    assert set(re.findall(r"\w+://[^\s\"')]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|\burl\(|fetch\(|XMLHttpRequest|WebSocket|import\(", text)


def test_its_policy_forbids_the_network_and_other_scripts():
    policy = Reader(page([])).all("meta")[1]["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "script-src 'unsafe-inline'" not in policy


def test_the_tempo_is_in_beats_of_the_meter():
    six = Tune((Bar((Note(60, Fraction(3, 4)),)),), meter=(6, 8))
    assert Reader(page([shown(music=six, tempo=180.0)])).texts["output"] == ["120 bpm"]


def test_every_control_has_a_name():
    read = Reader(page([shown("Fanny's")]))
    names = [found.get("aria-label") for found in read.all("input")]
    assert names == ["Position in Fanny's", None], "the tempo's label is around it"
    buttons = [found.get("aria-label") for found in read.all("button")]
    assert buttons[:5] == [
        "Play Fanny's",
        "Keep Fanny's",
        "Discard Fanny's",
        "Download Fanny's.abc",
        "Download Fanny's.wav",
    ]
    assert read.texts["button"][-3:] == ["Copy ABC", "Copy list", "Copy ABC"]
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in read.all("svg"))


def test_given_drawings_replace_the_piano_rolls():
    drawings = ('<svg id="wide"></svg>', '<svg id="narrow"></svg>')
    read = Reader(page([shown(drawings=drawings)]))
    assert [svg["id"] for svg in read.all("svg")] == ["wide", "narrow"]


def test_ten_tunes_make_a_small_page():
    bars = tuple(
        Bar(tuple(Note(60 + (n * k) % 12, EIGHTH) for n in range(8)), opens=k % 8 == 1,
            repeats=k % 8 == 0) for k in range(1, 17)
    )  # fmt: skip
    assert len(page([shown(music=Tune(bars))] * 10).encode()) < 600_000


# What a script sees that stands between the page and the browser's audio.
LISTENER = """
window.contexts = [];
window.notes = [];
window.order = [];
window.AudioContext = class extends AudioContext {
  constructor() { super(); contexts.push(this); }
};
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (when) {
  notes.push([this.frequency.value, when]);
  return start.call(this, when);
};
new MutationObserver((changes) => {
  for (const { target, oldValue } of changes) {
    const [was, is] = [oldValue, target.className.baseVal].map((name) => / lit/.test(name));
    if (is && !was && !target.closest('.narrow')) order.push(Number(target.dataset.note));
  }
}).observe(document, { subtree: true, attributeFilter: ["class"], attributeOldValue: true });
"""


@pytest.fixture
def visit(browser, tmp_path):
    """Open a page of tunes; check at the end that there were no errors and no other requests."""

    def visit(*tunes, prepared="", **options):
        path = tmp_path / "page.html"
        path.write_text(page(tunes), encoding="utf-8")
        return Tab(browser, path.as_uri(), LISTENER + prepared, **options)

    yield visit
    assert_quiet(browser, tmp_path / "page.html")


def assert_highlighted(tab, numbers):
    """Assert that notes were highlighted in this order; a busy machine may skip some."""
    order, expected = tab.evaluate("order"), iter(numbers)
    assert order
    assert all(number in expected for number in order)


@pytest.mark.slow
def test_a_click_plays_the_tune_and_highlights_its_notes(visit):
    tab = visit(shown("First"))
    tab.click(".play")
    tab.until("!document.querySelector('.playing')")
    heard = tab.evaluate("notes")
    expected = [440 * 2 ** ((pitch - 69) / 12) for pitch in PITCHES * 2]
    assert [frequency for frequency, _ in heard] == pytest.approx(expected)
    times = [when for _, when in heard]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert gaps == pytest.approx([0.2] * 5), "an eighth note at 150 quarter notes a minute"
    assert_highlighted(tab, [0, 1, 2, 0, 1, 2])
    assert tab.evaluate("document.querySelectorAll('.lit').length") == 0
    tab.until("contexts[0].state == 'closed'")


def test_notes_scheduled_later_are_not_lost(visit):
    pitches = range(48, 84)
    bar = Bar(tuple(Note(pitch, EIGHTH) for pitch in pitches))
    tab = visit(shown(music=Tune((bar,)), tempo=600.0))
    tab.click(".play")
    assert tab.evaluate("notes.length") < len(pitches)
    tab.until("!document.querySelector('.playing')")
    expected = [440 * 2 ** ((pitch - 69) / 12) for pitch in pitches]
    assert [frequency for frequency, _ in tab.evaluate("notes")] == pytest.approx(expected)


def test_the_sound_runs_until_it_is_stopped(visit):
    tab = visit(shown("Long", LONG))
    tab.click(".play")
    tab.until("contexts[0]?.state == 'running' && contexts[0].currentTime > 0.1")
    tab.until("document.querySelector('.position').value > 0 && order.length")
    assert tab.evaluate("document.querySelector('.play').ariaLabel") == "Stop Long"
    tab.click(".play")
    assert tab.evaluate("document.querySelectorAll('.lit, .playing').length") == 0
    assert tab.evaluate("document.querySelector('.position').value") == "0"
    assert tab.evaluate("document.querySelector('.play').ariaLabel") == "Play Long"
    tab.until("contexts[0].state == 'closed'")


def test_one_tune_stops_another(visit):
    tab = visit(shown("First", LONG), shown("Second", LONG))
    playing = "Array.from(document.querySelectorAll('.playing h2'), (title) => title.textContent)"
    tab.click("article:nth-of-type(1) .play")
    assert tab.evaluate(playing) == ["First"]
    tab.click("article:nth-of-type(2) .play")
    assert tab.evaluate(playing) == ["Second"]
    tab.until("contexts[0].state == 'closed' && contexts[1].state == 'running'")


def test_the_space_bar_plays_and_stops(visit):
    tab = visit(shown(music=LONG))
    tab.press(" ", "Space")
    assert tab.evaluate("document.querySelectorAll('.playing').length") == 1
    tab.press(" ", "Space")
    assert tab.evaluate("document.querySelectorAll('.playing').length") == 0


def test_a_new_tempo_applies_at_the_current_position(visit):
    tab = visit(shown(music=LONG))
    tab.evaluate("document.querySelector('.position').value = 50")
    tab.click(".play")
    tab.evaluate("document.querySelector('.tempo input').focus()")
    tab.press("ArrowRight", "ArrowRight", number=39)
    assert tab.evaluate("document.querySelector('output').value") == "151 bpm"
    assert tab.evaluate("document.querySelectorAll('.playing').length") == 1
    assert tab.evaluate("contexts.length") == 2
    assert 50 <= tab.evaluate("Number(document.querySelector('.position').value)") < 100


def test_the_abc_is_copied(visit, browser):
    allow_the_clipboard(browser)
    tab = visit(shown())
    tab.click("summary")
    tab.click(".copy")
    tab.until("document.querySelector('.copy').textContent == 'Copied'")
    assert tab.evaluate("navigator.clipboard.readText()") == "X:1\nK:D\n|:Adf:|\n"
    tab.until("document.querySelector('.copy').textContent == 'Copy ABC'")


def test_a_click_on_a_note_plays_from_there(visit):
    tab = visit(shown())
    tab.click("[data-note='1']")
    tab.until("!document.querySelector('.playing')")
    assert_highlighted(tab, [1, 2, 0, 1, 2])


# ---- chords --------------------------------------------------------------------------------------

AIR = read_abc("X:1\nM:4/4\nL:1/8\nK:C\nc8|G8|c8|\n").tunes[0]
GAIN = "playing.instrument.backing.gain.value"


def test_chords_are_played_and_muted(visit):
    tab = visit(shown(music=AIR, style=Style(chords=True), tempo=600.0))
    tab.click(".chords")
    tab.click(".play")
    assert tab.evaluate(GAIN) == 0
    tab.click(".chords")
    assert tab.evaluate(GAIN) == 1
    tab.until("!document.querySelector('.playing')")
    assert tab.evaluate("notes.length") == 3 + 3 * 4
    assert_highlighted(tab, [0, 1, 2])


def test_muted_chords_are_not_downloaded(visit, download):
    tab = visit(shown(music=AIR, style=Style(chords=True)))
    _, audible = download(tab, "[data-format=wav]")
    tab.click(".chords")
    _, muted = download(tab, "[data-format=wav]")
    assert audible != muted


def test_a_tune_without_chords_has_no_button_for_them():
    assert "chords" not in [
        found["class"] for found in Reader(page([shown()])).all("button") if "class" in found
    ]


# ---- files ---------------------------------------------------------------------------------------


@pytest.fixture
def download(browser, tmp_path):
    """Click a button that downloads a file; return the file's name and content."""
    folder = tmp_path / "downloads"
    where = {"behavior": "allow", "downloadPath": str(folder), "eventsEnabled": True}
    browser.send("Browser.setDownloadBehavior", **where)

    def download(tab, selector):
        tab.click(selector)
        name = browser.wait("Browser.downloadWillBegin")["suggestedFilename"]
        while browser.wait("Browser.downloadProgress")["state"] == "inProgress":
            pass
        return name, (folder / name).read_bytes()

    yield download
    browser.send("Browser.setDownloadBehavior", behavior="default")


def test_the_abc_and_midi_files_are_downloaded(visit, download):
    data = write_midi(TUNE)
    tab = visit(shown(midi=b"other"), shown("Träumer", abc="X:1\nT:Träumer\n", midi=data))
    buttons = "article:nth-of-type(2) [data-format={}]"
    assert download(tab, buttons.format("abc")) == ("02.abc", "X:1\nT:Träumer\n".encode())
    assert download(tab, buttons.format("mid")) == ("02.mid", data)


def test_the_sound_is_downloaded_at_the_tempo_on_the_page(visit, download):
    tab = visit(shown(tempo=60.0))
    tab.evaluate("document.querySelector('.tempo input').value = 240")
    name, data = download(tab, "[data-format=wav]")
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 44_100)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767
    assert name == "01.wav"
    assert len(samples) / 44_100 == pytest.approx(6 / 4 + 0.25, abs=0.01)
    assert np.max(np.abs(samples)) == pytest.approx(0.8, abs=0.01)
    assert abs(samples[-1]) < 1e-3


def test_sound_of_more_than_ten_minutes_is_too_long(visit):
    tab = visit(shown(music=Tune(LONG.bars * 4), tempo=60.0))
    tab.click("[data-format=wav]")
    tab.until("document.querySelector('[data-format=wav]').textContent == 'too long'")


def test_a_tune_without_a_midi_file_has_no_button_for_it():
    formats = [found.get("data-format") for found in Reader(page([shown()])).all("button")]
    assert [name for name in formats if name] == ["abc", "wav"]


# ---- keep and discard ----------------------------------------------------------------------------


def allow_the_clipboard(browser):
    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.send("Browser.grantPermissions", permissions=allowed)


KEPT = "Array.from(document.querySelectorAll('#kept pre'), (pre) => pre.textContent)"
DISCARDED = "Array.from(document.querySelectorAll('.discarded h2'), (title) => title.textContent)"


def test_kept_tunes_are_listed_and_copied(visit, browser):
    allow_the_clipboard(browser)
    tab = visit(*(shown(title, abc=f"X:1\nT:{title}\n") for title in ("One", "Two", "Three")))
    assert tab.evaluate("document.querySelector('#kept').checkVisibility()") is False
    tab.click("article:nth-of-type(3) .keep")
    tab.click("article:nth-of-type(1) .keep")
    assert tab.evaluate(KEPT) == ["01 One\n03 Three\n", "X:1\nT:One\n\nX:2\nT:Three\n"]
    tab.click("#kept .copy")
    tab.until("document.querySelector('#kept .copy').textContent == 'Copied'")
    assert tab.evaluate("navigator.clipboard.readText()") == "01 One\n03 Three\n"
    tab.click("article:nth-of-type(1) .keep")
    assert tab.evaluate(KEPT)[0] == "03 Three\n"


def test_a_discarded_tune_is_folded_and_stops(visit):
    tab = visit(shown("One", LONG), shown("Two"))
    tab.click(".play")
    tab.click(".discard")
    assert tab.evaluate(DISCARDED) == ["One"]
    assert tab.evaluate("document.querySelectorAll('.playing').length") == 0
    assert tab.evaluate("document.querySelector('.play').checkVisibility()") is False
    tab.click(".discard")
    assert tab.evaluate(DISCARDED) == []


def test_choices_outlast_the_page_but_not_its_tunes(visit, tmp_path):
    tab = visit(shown("One"), shown("Two"))
    tab.click("article:nth-of-type(1) .keep")
    tab.click("article:nth-of-type(2) .discard")
    tab.reload()
    assert tab.evaluate(KEPT)[0] == "01 One\n"
    assert tab.evaluate(DISCARDED) == ["Two"]
    assert tab.evaluate("document.querySelector('.keep').ariaPressed") == "true"
    (tmp_path / "page.html").write_text(page([shown("One", abc="another"), shown("Two")]), "utf-8")
    tab.reload()
    assert tab.evaluate(KEPT)[0] == ""


def test_choices_are_made_with_the_keyboard_and_without_storage(visit):
    forbidden = "Object.defineProperty(window, 'localStorage', { get() { throw 1; } });"
    tab = visit(shown("One"), prepared=forbidden)
    tab.evaluate("document.querySelector('.keep').focus()")
    tab.press(" ", "Space")
    assert tab.evaluate(KEPT)[0] == "01 One\n"
    assert tab.evaluate("document.querySelectorAll('.playing').length") == 0


# ---- sizes and paper -----------------------------------------------------------------------------


def test_a_phone_shows_two_bars_per_line_and_does_not_scroll_sideways(visit):
    bar = Bar(NOTES)
    tab = visit(shown(music=Tune((bar,) * 8, Key("D"), (3, 8))), size=(390, 844))
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.evaluate("document.querySelector('.wide').checkVisibility()") is False
    assert tab.evaluate("document.querySelector('.narrow').checkVisibility()") is True


def test_paper_shows_the_tunes_without_buttons_in_black(visit):
    tab = visit(shown("One"), shown("Two"), dark=True)
    tab.click("article:nth-of-type(2) .discard")
    tab.send("Emulation.setEmulatedMedia", media="print")
    shows = "Array.from(document.querySelectorAll('{}')).filter((each) => each.checkVisibility())"
    for hidden in ("button", "input", "table", "details", ".narrow", ".discarded"):
        assert tab.evaluate(f"{shows.format(hidden)}.length") == 0, hidden
    assert tab.evaluate(f"{shows.format('h2, .wide')}.length") == 2
    style = "getComputedStyle(document.querySelector('{}')).{}"
    assert tab.evaluate(style.format("h2", "color")) == "rgb(0, 0, 0)"
    assert tab.evaluate(style.format(".wide .note", "fill")) == "rgb(0, 0, 0)"
    assert tab.evaluate(style.format("article", "breakInside")) == "avoid"


# ---- hostile content -----------------------------------------------------------------------------


def test_a_hostile_title_is_only_a_title(visit):
    tab = visit(shown(HOSTILE, abc=HOSTILE))
    assert tab.evaluate("document.querySelector('h2').textContent") == HOSTILE
    tab.click(".play")
    assert tab.evaluate("document.querySelectorAll('.playing').length") == 1
    assert tab.evaluate("document.querySelectorAll('img').length") == 0


def test_the_policy_stops_an_injected_script(browser, tmp_path):
    text = page([shown(drawings=("<svg><script>window.broken = 1</script></svg>", ""))])
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    tab = Tab(browser, path.as_uri())
    assert tab.evaluate("typeof window.broken") == "undefined"
    blocked = json.dumps(browser.wait("Log.entryAdded"))
    assert "Content Security Policy" in blocked
