"""A model's page: as a file, and its frame in a real browser."""

import base64
import functools
import hashlib
import http.server
import json
import re
import threading
from dataclasses import replace

import numpy as np
import pytest

from charrnn.checkpoints.checkpoint import load
from charrnn.checkpoints.records import HistoryEntry, TrainConfig, TrainingRecord
from charrnn.errors import CharRNNError, ConfigError
from charrnn.interop import page as module
from charrnn.interop.page import page
from charrnn.interop.weights import WEIGHTS
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from tests.chromium import Tab
from tests.helpers import random_checkpoint
from tests.html import Reader
from tests.interop.node import WEB, parts_of
from tests.tiny import TEXT

HOSTILE = "</script><!--<script><img src=x onerror=alert(1)>\"'&{title}\\u003c\u2028"
ALPHABET = "".join(sorted(set(HOSTILE + "\n\r\0\x1b\ufeff\u202e𝄞\U0010ffff")))


@pytest.fixture(scope="module")
def model(model_file):
    return load(model_file)


def hostile_model():
    return random_checkpoint(ModelConfig("gru", 8, 1, 4), ALPHABET)


# ---- the file ------------------------------------------------------------------------------------


def test_a_page_holds_the_model(model):
    description, _ = parts_of(page(model, "novel").data.decode())
    assert description["name"] == "novel"
    assert description["alphabet"] == model.tokenizer.alphabet
    assert description["config"]["hidden_size"] == 32
    assert description["history"]["step"] == [entry.step for entry in model.history]
    assert description["parameters"] == model.parameters.flat.size


@pytest.mark.parametrize(("weights", "share"), [("f32", 4), ("f16", 2), ("i8", 1)])
def test_weights_take_their_share_of_bytes(weights, share):
    model = random_checkpoint(ModelConfig("gru", 128, 1, 64), "abc")
    _, data = parts_of(page(model, "novel", weights=weights).data.decode())
    count = model.parameters.flat.size
    assert share * count <= len(base64.b64decode(data)) < 1.1 * share * count


def test_nothing_in_a_model_or_its_name_becomes_markup():
    plain = Reader(page(hostile_model(), "novel").data.decode())
    read = Reader(page(hostile_model(), HOSTILE).data.decode())
    assert not read.open
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in plain.elements]
    assert all(not name.startswith("on") for _, found in read.elements for name in found)
    assert read.texts["h1"] == read.texts["title"] == [HOSTILE]


def test_a_name_that_no_page_can_hold_is_replaced(model):
    page(model, "a\0\ud800\x1b[31m").data.decode()


def test_a_version_that_no_page_can_hold_is_replaced(model):
    text = page(replace(model, version="\ud800<b>"), "novel").data.decode()
    assert "\N{REPLACEMENT CHARACTER}&lt;b&gt;" in text


def test_the_page_refers_to_nothing_outside(model):
    text = page(model, "novel").data.decode()
    read = Reader(text)
    assert not read.all("link")
    assert all(not {"src", "href", "action"} & set(found) for _, found in read.elements)
    assert set(re.findall(r"\w+://[^\s\"')]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(", text)


@pytest.mark.parametrize("path", sorted(WEB.glob("*.js")), ids=lambda path: path.name)
def test_scripts_make_no_markup_of_text(path):
    source = path.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", source)
    assert "</script" not in source
    assert "<!--" not in source


def test_the_policy_names_the_only_script_and_style(model):
    text = page(model, "novel").data.decode()
    policy = Reader(text).all("meta")[1]["content"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag, part in (("<script>", "script-src"), ("<style>", "style-src")):
        source = re.findall(f"{tag}(.*?)</", text, re.DOTALL)
        assert len(source) == 1
        digest = base64.b64encode(hashlib.sha256(source[0].encode()).digest()).decode()
        assert f"{part} 'sha256-{digest}';" in policy


def test_the_cost_of_rounding_is_measured(model):
    corpus = Corpus.from_texts(TEXT)
    exact = page(model, "novel", weights="f32", corpus=corpus)
    coarse = page(model, "novel", weights="i8", corpus=corpus)
    costs = [parts_of(content.data.decode())[0]["cost"] for content in (exact, coarse)]
    assert costs[0]["before"] == costs[0]["after"] == costs[1]["before"]
    assert 0 < abs(costs[1]["after"] - costs[1]["before"]) < 0.01
    assert coarse.notices[0].startswith("storing weights as i8 ")


def test_the_cost_is_measured_on_the_held_out_part_of_the_corpus_of_the_training():
    corpus = Corpus.from_texts(TEXT)
    parts = []
    for digest in (corpus.digest, ""):
        training = TrainingRecord(TrainConfig(valid_fraction=0.1), corpus=digest)
        model = random_checkpoint(
            ModelConfig("rnn", 4), "".join(sorted(set(TEXT))), training=training
        )
        description, _ = parts_of(page(model, "novel", corpus=corpus).data.decode())
        parts.append(description["cost"]["characters"])
    assert parts == [len(TEXT) - int(0.9 * len(TEXT)) - 1, len(TEXT) - 1]


def test_unknown_weights_are_refused(model):
    with pytest.raises(ConfigError, match=r"weights must be one of f32, f16, i8; got 'f8'"):
        page(model, "novel", weights="f8")


def test_weights_beyond_half_precision_are_refused():
    model = random_checkpoint(ModelConfig("rnn", 4), "ab")
    model.parameters["head.bias"][0] = 1e6
    with pytest.raises(ConfigError, match=r"65,504 and the model has 1e\+06; pass weights='f32'"):
        page(model, "novel")
    page(model, "novel", weights="f32")


def test_a_page_that_is_too_large_is_refused_before_any_work(monkeypatch, model):
    def fail(*_):
        raise AssertionError("some work was done")

    monkeypatch.setattr(module, "pack", fail)
    size = 4 * model.parameters.flat.size * 2 // 3 + module.FRAME
    monkeypatch.setattr(module, "LARGEST", size - 1)
    with pytest.raises(
        CharRNNError, match=r"would be .* MB, over the limit of .* MB; pass weights='i8'"
    ):
        page(model, "novel")
    monkeypatch.setattr(module, "LARGEST", 1)
    with pytest.raises(CharRNNError, match="train a smaller model"):
        page(model, "novel", weights="i8")


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_size_is_known_beforehand(weights):
    model = random_checkpoint(ModelConfig("gru", 64, 1, 16), "".join(map(chr, range(97, 150))))
    size = 4 * model.parameters.flat.size * WEIGHTS[weights].bytes_each // 3
    assert abs(len(page(model, "novel", weights=weights).data) - size) < module.FRAME


# ---- in a browser --------------------------------------------------------------------------------


def test_a_hostile_alphabet_and_text_are_only_text(visit):
    tab = visit(hostile_model(), HOSTILE, opening=True)
    tab.until("!run")
    tab.evaluate(f"setText({json.dumps(HOSTILE)})")
    for name in ("read", "inside", "about"):
        tab.click(f"#tab-{name}")
    tab.until("reading.complete && ranked !== null")
    assert tab.evaluate("document.querySelector('#surprises').textContent") == HOSTILE
    assert tab.evaluate("document.querySelectorAll('img').length") == 0
    assert tab.evaluate("description.alphabet") == ALPHABET
    assert tab.evaluate("text === field.value")
    assert tab.evaluate("document.querySelector('h1').textContent") == HOSTILE


def test_the_policy_stops_other_scripts_and_requests(browser, model, tmp_path):
    path = tmp_path / "page.html"
    text = page(model, "novel").data.decode()
    injected = "<main><script>window.broken = 1</script><style>body { opacity: .5 }</style>"
    path.write_text(text.replace("<main>", injected, 1), encoding="utf-8")
    tab = Tab(browser, path.as_uri())
    assert tab.evaluate("typeof window.broken") == "undefined"
    assert tab.evaluate("getComputedStyle(document.body).opacity") == "1"
    fetched = "fetch('https://example.org/').then(() => 'fetched', () => 'blocked')"
    assert tab.evaluate(fetched) == "blocked"
    browser.close_tabs()


def test_tabs_are_reached_by_arrow_keys_and_remembered(visit, model):
    tab = visit(model)
    panel = "Array.from(document.querySelectorAll('section')).find((panel) => !panel.hidden).id"
    tab.evaluate("document.querySelector('#tab-write').focus()")
    found = []
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowRight", "ArrowLeft", "Home"):
        tab.press(key, key)
        found.append(tab.evaluate(panel))
    assert found == ["read", "inside", "about", "write", "about", "write"]
    tab.click("#tab-read")
    tab.reload()
    assert tab.evaluate(panel) == "read"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_window(visit, width, dark):
    long = "The" + "cat" * 60 + " sat on the mat.\n"
    history = [HistoryEntry(step, 2 - step / 50, 2.1 - step / 60) for step in (1, 20, 30)]
    model = random_checkpoint(
        ModelConfig("gru", 8, 1, 4), "".join(sorted(set(long))), history=history
    )
    tab = visit(model, "a-novel-with-a-very-long-name-" * 4, size=(width, 844), dark=dark)
    tab.evaluate(f"setText({json.dumps(long * 3)})")
    for name in ("read", "inside", "about", "write"):
        tab.click(f"#tab-{name}")
        if name in ("read", "inside"):
            tab.until("reading.complete")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_is_legible_on_every_color(visit, model, dark):
    names = [f"s{k}" for k in range(8)] + [f"r{k}" for k in range(4)] + [f"a{k}" for k in range(9)]
    tab = visit(model, dark=dark)
    pairs = tab.evaluate(
        f"""{json.dumps(names)}.map((name) => {{
            const span = document.createElement("span");
            span.className = name;
            document.querySelector("#surprises").append(span);
            const {{ color, backgroundColor }} = getComputedStyle(span);
            const card = getComputedStyle(document.querySelector("#surprises")).backgroundColor;
            return [color, backgroundColor === "rgba(0, 0, 0, 0)" ? card : backgroundColor];
        }})"""
    )
    for name, (front, back) in zip(names, pairs, strict=True):
        light, dim = sorted((luminance(front), luminance(back)), reverse=True)
        assert (light + 0.05) / (dim + 0.05) >= 4.5, (name, front, back)


def luminance(color):
    """Return the relative luminance of a color, as WCAG 2 defines it."""
    channels = np.array([float(value) for value in re.findall(r"[\d.]+", color)[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_every_control_has_a_name(visit, model):
    tab = visit(model)
    nameless = """Array.from(document.querySelectorAll("button, input, select, textarea")).filter(
        (control) => !(control.ariaLabel || control.textContent.trim() || control.labels?.length)
    ).map((control) => control.id)"""
    assert tab.evaluate(nameless) == []


# ---- on a website --------------------------------------------------------------------------------


@pytest.fixture
def website(tmp_path, model):
    """The address of a web server with the page of a model."""
    (tmp_path / "page.html").write_bytes(page(model, "novel").data)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/page.html"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_link_shares_text_and_settings(browser, website):
    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.send("Browser.grantPermissions", permissions=allowed)
    tab = Tab(browser, website)
    tab.evaluate(f"setText({json.dumps(HOSTILE)}); takeSettings({{temperature: 1.2, seed: 9}})")
    tab.click("#link")
    tab.until("document.querySelector('#status').textContent === 'Link copied.'")
    link = tab.evaluate("navigator.clipboard.readText()")
    other = Tab(browser, link)
    assert other.evaluate("document.querySelector('#editor').value") == HOSTILE
    assert other.evaluate("[settings.temperature, settings.seed]") == [1.2, 9]
    assert other.evaluate("location.hash") == "", "an edited text is not put back by a reload"
    browser.close_tabs()


@pytest.mark.parametrize("hash", ["%", "[]", "null", '{"text": 1}', '{"text": "a", "settings": 3}'])
def test_a_broken_link_does_no_harm(browser, website, hash):
    tab = Tab(browser, f"{website}#{hash}")
    tab.evaluate("model.ready")
    assert tab.evaluate("settings.temperature") == 0.8
    assert not [event for event in browser.events if event["method"] == "Runtime.exceptionThrown"]
    browser.close_tabs()


def test_a_link_sets_the_own_text_aside(browser, website):
    tab = Tab(browser, website)
    tab.evaluate("setText('mine'); saveText()")
    tab.send("Page.navigate", url=website + "?again#" + '{"text":"theirs"}')
    browser.wait("Page.loadEventFired")
    assert tab.evaluate("document.querySelector('#editor').value") == "theirs"
    tab.reload()
    assert tab.evaluate("document.querySelector('#editor').value") == "theirs"
    tab.click("#aside")
    assert tab.evaluate("document.querySelector('#editor').value") == "mine"
    assert tab.evaluate("document.querySelector('#aside').hidden")
    browser.close_tabs()
