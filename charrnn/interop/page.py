"""A model as one web page that needs nothing else: no server, no network, no installation.

Its parts are in web/: an engine that runs in a worker, the scripts and styles of the page, and a
template. Together with the model they become one file. Whatever comes from a person or a model is
data in it, and the page's own policy lets no other script run and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from charrnn.checkpoints.checkpoint import Checkpoint, part_of
from charrnn.checkpoints.records import history_document
from charrnn.errors import CharRNNError, require, require_choice
from charrnn.inference.evaluate import validate
from charrnn.inference.sampling import terminator
from charrnn.interop.formats import Content, Format, Paths
from charrnn.interop.weights import WEIGHTS, pack
from charrnn.nn.model import CharRNN
from charrnn.nn.parameters import Parameters
from charrnn.text.corpus import Corpus
from charrnn.text.loading import read

LARGEST = 50_000_000  # bytes of a page
FRAME = 200_000  # bytes of it that are no weights, at most

CELLS = ("rnn", "lstm", "gru")  # those of engine.js
WORKER = ("engine.js", "worker.js")
SCRIPT = ("page.js", "write.js", "read.js", "inside.js", "about.js")
START = "start.js"

_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'"
)
_NOT_HTML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def page(
    checkpoint: Checkpoint,
    name: str,
    *,
    weights: str = "f16",
    corpus: Corpus | Paths | None = None,
    encoding: str = "utf-8",
) -> Content:
    """Return the page of a model called `name`, its weights in one of WEIGHTS.

    With a `corpus`, the loss that rounding the weights costs is measured: on its held-out part if
    the model was trained on it, else on all of it.

    Raises ConfigError for unknown `weights` and for a cell that the page lacks, CharRNNError for a
    page above LARGEST, and what `charrnn.read` raises for a corpus.
    """
    cell = checkpoint.config.cell
    require_choice("weights", weights, WEIGHTS)
    require(
        cell in CELLS,
        f"pages do not support the cell {cell!r}; supported cells: {', '.join(CELLS)}",
    )
    _require_room(checkpoint, weights)
    if corpus is not None and not isinstance(corpus, Corpus):
        corpus = read(corpus, encoding, reading=checkpoint.reading)
    data, rounded = pack(checkpoint.parameters, weights)
    cost = None if corpus is None else _cost(checkpoint, rounded, corpus)
    description = _description(checkpoint, name, weights, data, cost)
    text = _assembled(description, data)
    return Content(text.encode(), () if cost is None else (cost.notice(weights),))


PAGE = Format(page, options=("weights", "corpus"))


# ---- the model ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """The loss in nats per character before and after the weights were rounded."""

    before: float
    after: float
    characters: int

    def notice(self, weights: str) -> str:
        """Return a line for the user."""
        before, after = round(self.before, 4), round(self.after, 4)
        measured = f"measured on {self.characters:,} characters"
        if before == after:
            return (
                f"storing weights as {weights} does not change the loss ({before:.4f} nats/char, "
                f"{measured})"
            )
        return (
            f"storing weights as {weights} changes the loss from {before:.4f} to {after:.4f} "
            f"nats/char ({after - before:+.4f}), {measured}"
        )


def _cost(checkpoint: Checkpoint, rounded: Parameters, corpus: Corpus) -> Cost:
    training = checkpoint.training
    held_out = corpus.digest == training.corpus and training.config.valid_fraction > 0
    text = part_of(checkpoint, corpus, "valid" if held_out else "all")
    before = validate(checkpoint.model(), text)
    shape = checkpoint.config, len(checkpoint.tokenizer)
    after = validate(CharRNN(*shape, parameters=rounded), text)
    return Cost(before.nats_per_char, after.nats_per_char, before.characters)


def _require_room(checkpoint: Checkpoint, weights: str) -> None:
    """Raise CharRNNError for a model that is too large for a page."""

    def size(format: str) -> int:
        each = WEIGHTS[format].bytes_each
        return 4 * checkpoint.parameters.flat.size * each // 3 + FRAME

    if size(weights) <= LARGEST:
        return
    smaller = [format for format in WEIGHTS if size(format) <= LARGEST]
    remedy = f"pass `weights='{smaller[0]}'`" if smaller else "train a smaller model"
    raise CharRNNError(
        f"the page would be {size(weights) / 1e6:,.0f} MB, over the limit of "
        f"{LARGEST / 1e6:.0f} MB; " + remedy
    )


def _description(
    checkpoint: Checkpoint, name: str, weights: str, data: bytes, cost: Cost | None
) -> dict[str, Any]:
    """Return what the page knows of the model beside its weights."""
    training = checkpoint.training
    content = {
        "name": name,
        "version": checkpoint.version,
        "config": asdict(checkpoint.config),
        "alphabet": checkpoint.tokenizer.alphabet,
        "terminator": terminator(checkpoint),
        "documents": training.config.documents,
        "tunes": training.config.documents == "tunes",
        "weights": weights,
        "tensors": list(checkpoint.parameters.shapes.items()),
        "parameters": checkpoint.parameters.flat.size,
        "characters": training.characters,
        "steps": training.steps,
        "training": {**asdict(training.config), **training.reading.settings},
        "history": history_document(checkpoint.history),
        "cost": cost and asdict(cost),
    }
    sha = hashlib.sha256(data)
    sha.update(checkpoint.tokenizer.alphabet.encode())
    return {**content, "id": sha.hexdigest()[:16]}


# ---- the page -----------------------------------------------------------------------------------


def _assembled(description: dict[str, Any], data: bytes) -> str:
    """Return the page, in one pass over the template: what is put in is not looked at again."""
    script, style = _joined(*SCRIPT), _joined("page.css")
    if description["tunes"]:
        from charrnn.music.page import player  # on use: without music there are no tunes

        its_script, its_style = player()
        script += its_script + _joined("tune.js")
        style += its_style + _joined("tune.css")
    script += _joined(START)
    values = {
        "policy": _POLICY.format(script=_hash(script), style=_hash(style)),
        "title": _escaped(description["name"]),
        "version": _escaped(description["version"]),
        # Within a script element, "<" is all that could end it, or begin a comment.
        "description": json.dumps(description, allow_nan=False).replace("<", "\\u003c"),
        "weights": base64.b64encode(data).decode(),
        "worker": _joined(*WORKER),
        "script": script,
        "style": style,
    }
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], _joined("page.html"))


def _escaped(text: str) -> str:
    """Return `text` as HTML, without the characters that HTML cannot have."""
    return html.escape(_NOT_HTML.sub("\N{REPLACEMENT CHARACTER}", text))


def _joined(*names: str) -> str:
    """Return some files of the page, one after another."""
    web = files("charrnn.interop") / "web"
    return "".join((web / name).read_text("utf-8") for name in names)


def _hash(source: str) -> str:
    """Return what names a script or style in a policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
