"""Writing in a model's page, in a real browser."""

import string

import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.nn.model import ModelConfig
from tests.chromium import ALT, CTRL, SHIFT
from tests.helpers import random_checkpoint
from tests.inference.models import trained_on

TEXT = "document.querySelector('#editor').value"
SHOWN = "!document.querySelector('#alternatives').hidden"
COUNT = "document.querySelectorAll('#alternatives li').length"
CHOSEN = "suggestion.texts[suggestion.chosen]"
FOCUS = "document.activeElement.id"
TINTED = "Array.from(document.querySelectorAll('#mirror mark'), (mark) => mark.textContent)"


@pytest.fixture(scope="module")
def model(model_file):
    return load(model_file)


@pytest.fixture
def tab(visit, model):
    tab = visit(model)
    tab.click("#editor")
    return tab


def suggested(tab, typed="The c"):
    """Type, and wait for all alternatives."""
    tab.type(typed)
    tab.until(f"{COUNT} === 5")


def press(tab, key, modifiers=0):
    codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "z": 90, " ": 32}
    tab.press(key, f"Key{key.upper()}" if key == "z" else key, codes[key], modifiers)


def written(tab, count=40):
    """Let the model write some characters, and stop it."""
    tab.click("#go")
    tab.until(f"{TEXT}.length >= {count}")
    press(tab, "Escape")
    return tab.evaluate(TEXT)


# ---- the first visit -----------------------------------------------------------------------------


def test_the_first_visit_begins_with_a_text_being_written(visit, model):
    tab = visit(model, opening=True)
    tab.until(f"{TEXT}.length > 10 && run")
    assert tab.evaluate(f"{TINTED}.join('') === {TEXT}")  # at one moment: the text grows


def test_typing_takes_over_from_the_opening(visit, model):
    tab = visit(model, opening=True)
    tab.until(f"{TEXT}.length > 10")
    tab.evaluate("document.querySelector('#editor').focus()")
    tab.type("!")
    assert tab.evaluate("run") is None
    assert tab.evaluate(TEXT).endswith("!")


def test_with_reduced_motion_the_opening_appears_at_once(visit, model):
    record = """
        window.lengths = new Set();
        const look = () => {
            const editor = document.querySelector("#editor");
            if (editor) lengths.add(editor.value.length);
            requestAnimationFrame(look);
        };
        look();
    """
    tab = visit(model, opening=True, calm=True, prepared=record)
    tab.until(f"{TEXT}.length > 0 && !run")
    tab.until("lengths.size > 1")
    assert tab.evaluate("Array.from(lengths)") == [0, 420]


# ---- suggestions ---------------------------------------------------------------------------------


def test_there_are_five_different_suggestions(tab):
    suggested(tab)
    assert tab.evaluate("new Set(suggestion.texts).size") == 5


def test_tab_accepts_what_is_suggested(tab):
    suggested(tab)
    phrase = tab.evaluate(CHOSEN)
    press(tab, "Tab")
    assert tab.evaluate(TEXT) == "The c" + phrase
    assert tab.evaluate(TINTED) == [phrase]
    assert tab.evaluate(FOCUS) == "editor"


def test_tab_moves_on_where_nothing_is_suggested(tab):
    press(tab, "Tab")
    assert tab.evaluate(FOCUS) == "go"


def test_escape_dismisses_suggestions_and_tab_is_free_again(tab):
    suggested(tab)
    press(tab, "Escape")
    assert not tab.evaluate(SHOWN)
    press(tab, "Tab")
    assert tab.evaluate(FOCUS) == "go"
    assert tab.evaluate(TEXT) == "The c"


def test_alt_and_arrows_choose_among_suggestions(tab):
    suggested(tab)
    phrases = tab.evaluate("suggestion.texts")
    press(tab, "ArrowDown", ALT)
    press(tab, "ArrowDown", ALT)
    press(tab, "ArrowUp", ALT)
    press(tab, "ArrowUp", ALT)
    press(tab, "ArrowUp", ALT)
    assert tab.evaluate(CHOSEN) == phrases[-1]
    press(tab, "Tab")
    assert tab.evaluate(TEXT) == "The c" + phrases[-1]


def test_plain_arrows_move_the_cursor(tab):
    suggested(tab, "The c\nThe d")
    press(tab, "ArrowUp")
    assert tab.evaluate("cursor()") == 5
    tab.until("!suggestion")
    assert not tab.evaluate(SHOWN)


def test_a_click_accepts_a_suggestion(tab):
    suggested(tab)
    phrase = tab.evaluate("suggestion.texts[2]")
    tab.click("#alternatives li:nth-child(3) button")
    assert tab.evaluate(TEXT) == "The c" + phrase
    assert tab.evaluate(FOCUS) == "editor"


def test_typing_what_is_suggested_keeps_the_rest(tab):
    suggested(tab)
    phrase = tab.evaluate(CHOSEN)
    tab.type(phrase[:2])
    assert tab.evaluate(CHOSEN) == phrase[2:]


def test_typing_something_else_dismisses_the_suggestions(tab):
    suggested(tab)
    tab.type("?")
    assert not tab.evaluate(SHOWN)


def test_suggestions_in_the_middle_of_a_text_leave_it_as_it_is(tab):
    tab.type("The c\nThe d")
    tab.evaluate("field.setSelectionRange(4, 4)")
    suggested(tab, "d")
    assert tab.evaluate("document.querySelector('.ghost')") is None
    phrase = tab.evaluate(CHOSEN)
    press(tab, "Tab")
    assert tab.evaluate(TEXT) == "The d" + phrase + "c\nThe d"


def test_suggestions_can_be_turned_off_and_asked_for(tab):
    tab.click("#suggest")
    tab.click("#editor")
    tab.type("The c")
    press(tab, " ", CTRL)
    tab.until(f"{COUNT} === 5")
    press(tab, "Escape")
    timer = "(() => { const before = waiting; suggestSoon(); return waiting === before; })()"
    assert tab.evaluate(timer), "typing starts no timer"


def test_characters_that_the_model_does_not_know_are_named(tab):
    tab.type("Ω")
    assert "Ω" in tab.evaluate("document.querySelector('#status').textContent")
    suggested(tab, "The")


# ---- writing on ----------------------------------------------------------------------------------


def test_the_model_writes_until_it_is_stopped_at_once(tab):
    text = written(tab)
    tab.evaluate("new Promise((done) => model.start('suggest', {text: '', settings}, done))")
    assert tab.evaluate(TEXT) == text


def test_buttons_and_keys_stop_writing(tab):
    go = "document.querySelector('#go').click()"
    stops = [
        lambda: press(tab, "Escape"),
        lambda: press(tab, "Enter", CTRL),
        lambda: tab.evaluate(go),
        lambda: tab.type("x"),
    ]
    for stop in stops:
        tab.evaluate("field.focus()")
        press(tab, "Enter", CTRL)
        tab.until("run && run.count > 5")
        stop()
        assert tab.evaluate("run") is None


def test_writing_continues_at_the_cursor(tab):
    tab.type("The cat.\n\nThe end.")
    tab.evaluate("field.setSelectionRange(9, 9)")
    tab.click("#go")
    tab.until("run.count > 20")
    press(tab, "Escape")
    text = tab.evaluate(TEXT)
    assert text.startswith("The cat.\n")
    assert text.endswith("\nThe end.")
    assert tab.evaluate(TINTED) == [text[9 : -len("\nThe end.")]]


def test_the_same_seed_and_settings_give_the_same_text(visit, model):
    texts = []
    for seed in (7, 7, 8):
        tab = visit(model)
        tab.evaluate(f"takeSettings({{seed: {seed}, temperature: 1.2, top_k: 12, min_p: 0.01}})")
        tab.evaluate("writeOn({limit: 200})")
        tab.until("!run")
        texts.append(tab.evaluate(TEXT))
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    assert len(texts[0]) == 200


def test_each_document_is_drawn_anew(visit):
    config = ModelConfig("gru", 6, 1, 3)
    lines = random_checkpoint(config, "\n" + string.ascii_letters, training=trained_on("lines"))
    tab = visit(lines)
    tab.evaluate("setText('')")
    for count in (1, 2, 3):
        tab.evaluate("writeOn({limit: 2000})")
        tab.until("!run")
        assert len(set(tab.evaluate(TEXT).splitlines())) == count


def test_another_try_replaces_what_the_model_wrote(tab):
    tab.type("The c")
    tab.evaluate("writeOn({limit: 60})")
    tab.until("!run")
    first = tab.evaluate(TEXT)
    tab.click("#again")
    tab.until("run && run.count > 60")
    press(tab, "Escape")
    second = tab.evaluate(TEXT)
    assert second.startswith("The c")
    assert second[:65] != first
    assert tab.evaluate("settings.seed") == 2


# ---- undo and redo -------------------------------------------------------------------------------


def test_undo_and_redo_go_through_what_was_typed_and_written(tab):
    tab.type("The c")
    suggested(tab, "a")
    press(tab, "Tab")
    accepted = tab.evaluate(TEXT)
    press(tab, "Escape")
    text = written(tab, 60)
    states = [text, accepted, "The ca"]
    for state in states[1:]:
        tab.click("#undo")
        assert tab.evaluate(TEXT) == state
    assert tab.evaluate(TINTED) == []
    for state in reversed(states[:-1]):
        tab.click("#redo")
        assert tab.evaluate(TEXT) == state
    assert "".join(tab.evaluate(TINTED)) == text[6:]


def test_the_keys_of_undo_and_redo(tab):
    tab.type("one")
    tab.type(" ")
    tab.type("two")
    tab.evaluate("field.focus()")
    press(tab, "z", CTRL)
    assert tab.evaluate(TEXT) == "one "
    press(tab, "z", CTRL)
    assert tab.evaluate(TEXT) == "one"
    press(tab, "z", CTRL | SHIFT)
    assert tab.evaluate(TEXT) == "one "


def test_a_new_text_can_be_undone(tab):
    tab.type("precious")
    tab.click("#new")
    assert tab.evaluate(TEXT) == ""
    tab.click("#undo")
    assert tab.evaluate(TEXT) == "precious"


# ---- what is kept --------------------------------------------------------------------------------


def test_text_and_settings_survive_a_reload(tab):
    text = written(tab)
    tab.evaluate("field.focus()")
    tab.type("mine")
    tab.evaluate(
        """(() => {
            for (const [id, value] of Object.entries({ temperature: 1.1, seed: 5, top_k: 9 })) {
                const field = document.getElementById(id);
                field.value = value;
                field.dispatchEvent(new Event("input", { bubbles: true }));
            }
        })()"""
    )
    tab.reload()
    assert tab.evaluate(TEXT) == text + "mine"
    assert tab.evaluate(TINTED) == [text]
    kept = tab.evaluate("settings")
    assert (kept["temperature"], kept["seed"], kept["top_k"], kept["top_p"]) == (1.1, 5, 9, None)
    assert tab.evaluate("run") is None


def test_a_page_works_without_storage(visit, model):
    forbid = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } });"
    tab = visit(model, prepared=forbid)
    assert len(written(tab)) >= 40


def test_text_is_copied(tab, browser):
    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.send("Browser.grantPermissions", permissions=allowed)
    tab.type("The cat")
    tab.click("#copy")
    tab.until("document.querySelector('#status').textContent === 'Text copied.'")
    assert tab.evaluate("navigator.clipboard.readText()") == "The cat"


def test_settings_out_of_range_become_the_nearest(tab):
    tab.evaluate(
        "takeSettings({temperature: 9, top_k: 0.2, top_p: 'x', min_p: -1, seed: 1e30, suggest: 3})"
    )
    kept = tab.evaluate("settings")
    assert kept["temperature"] == 1.5
    assert (kept["top_k"], kept["top_p"], kept["min_p"]) == (1, None, 0)
    assert kept["seed"] == 2**32 - 1
    assert kept["suggest"] is True


def test_links_exist_on_websites_only(tab):
    assert tab.evaluate("document.querySelector('#link').hidden")
