"""Several tunes in one ABC file, with everything that people wrote: notation that is not part of
the melody, comments, and fields such as B: and Z:.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from charrnn.music.abc_parser import Parsed, read_abc
from charrnn.music.abc_sources import sources
from charrnn.music.abc_writer import write_abc
from charrnn.music.tune import Tune

_NUMBER = re.compile(r"^X:[ \t]*+(\d*+).*", re.MULTILINE)
_CHARSET = re.compile(r"^((?:%%|I:)[ \t]*+abc-charset\b).*", re.MULTILINE)


def write_book(tunes: Sequence[Tune], texts: Sequence[str]) -> tuple[str, Counter[str]]:
    """Return a file of tunes with these texts, in UTF-8, and count by kind what is lost.

    A tune without a text, or with one that reads otherwise with a number than without, is written
    by `write_abc`. Tunes keep their numbers if these are distinct; otherwise they are 1, 2, 3, ...

    >>> from charrnn.music.abc_parser import read_abc
    >>> parsed = read_abc("X:7\\nB:Old book\\nK:D\\n~d>(AF)|]\\n")
    >>> print(write_book(parsed.tunes, parsed.texts)[0], end="")
    X:7
    B:Old book
    K:D
    ~d>(AF)|]
    <BLANKLINE>
    """
    lost: Counter[str] = Counter()
    kept = []
    for tune, text in zip(tunes, texts, strict=True):
        parsed = read_abc(text) if text else None
        if parsed is None or parsed.tunes != (tune,):
            lost += _notation(parsed, text) if parsed else Counter()
            text = write_abc([tune])
        kept.append(re.sub(r"\r\n?", "\n", _CHARSET.sub(r"\1 utf-8", text)).rstrip("\n"))
    found = [_NUMBER.search(text) for text in kept]
    numbers = [match[1] if match else "" for match in found]
    if not all(numbers) or len(set(numbers)) < len(numbers):
        kept = [_NUMBER.sub(f"X:{n}", text, count=1) for n, text in enumerate(kept, 1)]
    return "\n\n".join(kept) + "\n\n", lost


def _notation(parsed: Parsed, text: str) -> Counter[str]:
    """Count the notation of a text, and the fields of its header, that `write_abc` cannot write."""
    letters = Counter(line[0] for source in sources(text) for _, line in source.header)
    fields = sum(letters.values()) - letters["K"] - sum(min(1, letters[name]) for name in "XTML")
    return parsed.ignored + Counter({"header field": fields})
