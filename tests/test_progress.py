"""Long operations report their progress to a listener, and to nobody otherwise."""

import pytest

from charrnn.progress import listening, report, watched
from charrnn.text.corpus import Corpus
from charrnn.text.loading import read
from charrnn.text.split import split
from charrnn.text.tokenizer import Tokenizer

LINES = Corpus.from_texts("one line\nanother one\n" * 5000)


def heard(action):
    """Return what an action reports: the fractions, by what is being done."""
    fractions = {}
    with listening(lambda what, fraction: fractions.setdefault(what, []).append(fraction)):
        action()
    return fractions


def test_a_listener_hears_what_is_reported_in_its_context():
    assert heard(lambda: report("counting", 0.5)) == {"counting": [0.5]}
    with pytest.raises(ZeroDivisionError), listening(lambda *_: None):
        _ = 1 / 0
    assert heard(lambda: None) == {}


def test_watched_items_are_reported_by_their_number_or_a_total():
    assert heard(lambda: list(watched("ab", "spelling"))) == {"spelling": [0, 0.5]}
    assert heard(lambda: list(watched(iter("abc"), "spelling", 2))) == {"spelling": [0, 0.5, 1]}
    assert list(watched([], "nothing")) == []


def test_without_a_listener_nothing_happens():
    report("counting", 0.5)
    assert list(watched("ab", "spelling")) == ["a", "b"]


@pytest.mark.parametrize(
    ("what", "action"),
    [
        ("splitting the corpus", lambda _: split(LINES, "lines")),
        ("encoding the corpus", lambda _: LINES.encode(Tokenizer("abcdefghijklmnopqrstuvwxyz \n"))),
        ("reading novel.txt", lambda path: read(path)),
    ],
)
def test_what_takes_long_for_a_large_corpus_is_reported(tmp_path, monkeypatch, what, action):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "novel.txt").write_text("the cat sat on the mat\n" * 5000)
    fractions = heard(lambda: action("novel.txt"))[what]
    assert len(fractions) > 5
    assert all(0 <= fraction <= 1 for fraction in fractions)
