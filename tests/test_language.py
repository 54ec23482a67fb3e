"""What users read is plain English: messages, help and documentation avoid a list of idioms."""

import ast
import re

import pytest

from charrnn.cli import COMMANDS
from tests.helpers import ROOT

# Regular expressions of whole words, and what to write instead.
IDIOMS = {
    r"(is|are|be|was|were|been) told": "is printed, an error says",
    r"(go|goes|going|went|gone) on (with|from)": "continue",
    r"(is|are) looked at": "is checked, is read",
    r"be it": "whether",
    r"(is|are) none": "is missing, is not a ...",
    r"(is|are) no (model|file|tune|text|number|folder)": "is not a ...",
    r"(leave|leaves|leaving|left) (\w+ )?(out|aside)": "skip, omit, ignore",
    r"(do|does) not suffice|suffices?": "out of memory, is not enough",
    r"so (many|few) (?!that)": "this many, N",
    r"(all|that) that goes|all else": "the rest, everything else",
    r"be there": "exist",
    r"(take|takes|took) (its|their) time": "is slow",
    r"such an?": "a ... like this, of this kind",
    r"upon(?! a time)": "on",
    r"learnt|metres?|honou\w*|favou\w*|colou\w*|behaviour": "en-US spelling",
    r"whence|thereof|therein": "a simpler sentence",
    r"by a user's hand|of a person's": "by the user",
    r"seed of the draw": "random seed",
}


def idioms_in(text):
    """Return the idioms in a text, each with what to write instead."""
    text = " ".join(text.split())
    return [
        f"{found[0]!r}: write {advice!r}"
        for idiom, advice in IDIOMS.items()
        for found in re.finditer(rf"\b(?:{idiom})\b", text, re.IGNORECASE)
    ]


def messages(source):
    """Yield the string literals in a source file, except docstrings.

    The values in an f-string read as VALUE.
    """
    tree = ast.parse(source)
    inner = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inner.add(node.value)  # a docstring
        elif isinstance(node, ast.JoinedStr):
            inner.update(node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                getattr(part, "value", "") if isinstance(part, ast.Constant) else "VALUE"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            yield node.value


def names(paths):
    return [str(path.relative_to(ROOT)) for path in sorted(paths)]


@pytest.mark.parametrize("name", names((ROOT / "charrnn").rglob("*.py")))
def test_messages_are_plain_english(name):
    texts = messages((ROOT / name).read_text("utf-8"))
    assert [found for text in texts for found in idioms_in(text)] == []


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_is_plain_english(cli, command):
    assert idioms_in(cli(*command, "--help").out) == []


@pytest.mark.parametrize(
    "name",
    names([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), ROOT / "charrnn" / "music" / "page.html"]),
)
def test_pages_are_plain_english(name):
    assert idioms_in((ROOT / name).read_text("utf-8")) == []


def test_the_scan_finds_idioms_in_any_message():
    source = """def f(x):
        "A docstring may say: it is told."
        raise ValueError(f"{x} is " "told: leave " f"{x} out", 'go\\non with it')
    """
    assert [len(idioms_in(text)) for text in messages(source)] == [2, 1]
    assert idioms_in("It is untold; upon-like words, and a such-and-such, are found.") != []
    assert idioms_in("Continue with --resume. Skip it. So much for that.") == []
