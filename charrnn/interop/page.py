"""A model as one web page that needs nothing else, not even a network."""

from __future__ import annotations

from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.interop.formats import Content, Format
from charrnn.text.corpus import Corpus


def page(
    checkpoint: Checkpoint,
    name: str,  # noqa: ARG001
    *,
    weights: str = "f16",  # noqa: ARG001
    corpus: Corpus | None = None,  # noqa: ARG001
) -> Content:
    """Return the page of a model."""
    text = f"<!DOCTYPE html>\n<title>charrnn</title>\n<p>{checkpoint.config.describe()}\n"
    return Content(text.encode())


PAGE = Format(page, options=("weights", "corpus"))
