"""Measure composed tunes: are they well formed, like people's, and new, and how fast do they come?

    python benchmarks/melody.py irish.abc --minutes 3 --tunes 1000

Models are trained on nine tenths of the tunes, divided as in `charrnn train`: by tune, without
duplicates, the held-out tenth chosen with a fixed seed. Then:

    loss      nats per character and per note on the held-out tunes: the default model, the other
              cells in the same time, and Witten-Bell n-grams of orders 1 to 6
    tunes     the figures of `charrnn assess` for tunes of the default model, with and without the
              grammar, beside those of the held-out tunes
    requests  the share of tunes with the requested meter, key, bars and form, and their figures
              beside those of people's tunes in the same meters
    speed     characters per second with and without the grammar; seconds for ten tunes with all
              files and the page

Each row is appended to rows.jsonl in the folder `--out` and is not measured again: the benchmark
can be interrupted at any time. Models and tunes are kept there, too.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

from ngram import NGrams
from turns import table_head, table_row

from charrnn.checkpoints.checkpoint import load
from charrnn.inference.evaluate import evaluate
from charrnn.inference.sampling import generate
from charrnn.music.abc_parser import read_abc
from charrnn.music.abc_writer import canonical, write_abc
from charrnn.music.compose import compose, reading_of_tunes
from charrnn.music.dataset import TuneReading
from charrnn.music.grammar.form import sections
from charrnn.music.grammar.tunes import tune_grammar
from charrnn.music.metrics import FIGURES, Sample, assess, distance, melody
from charrnn.music.tune import Key, Meter, Tune
from charrnn.nn.cells import CELLS
from charrnn.nn.model import ModelConfig
from charrnn.text.corpus import Corpus
from charrnn.text.loading import read
from charrnn.text.split import split

CHOSEN = "chosen"  # the model of `charrnn train FILE` with default settings
ORDERS = range(1, 7)  # of n-grams
TEMPERATURES = (0.7, 1.0, 1.2)
BATCH = 100  # tunes composed side by side
TURNS = 5  # of each way to sample, one after the other
STREAMS = (1, 50)
LENGTH = 150  # characters per stream in measurements of speed; few tunes are shorter


@dataclass(frozen=True)
class Request:
    """The requested properties of a tune."""

    meter: Meter | None = None
    key: Key | None = None
    bars: int | None = None
    form: str = ""


REQUESTS = (
    Request((6, 8), Key("D"), 16, "AABB"),
    Request((4, 4), Key("E", "min"), 16, "AABB"),
    Request((3, 4), Key("G"), 24, "AABA"),
    Request((2, 4), Key("A", "dor"), 8, "AB"),
    Request((9, 8), Key("B", "min"), 12, "ABAC"),
    Request((2, 2), Key("F"), 32, "ABAB"),
    Request((6, 8), Key("A", "mix"), 8),
    Request((4, 4), form="AABBCC"),
    Request(bars=21),
    Request(key=Key("Eb"), form="ABA"),
)


# ---- the rows --------------------------------------------------------------------------------


def charrnn(*arguments: object) -> None:
    """Run the command line."""
    command = [sys.executable, "-m", "charrnn", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Bench:
    """The corpus, divided, and the folder of models and tunes."""

    def __init__(self, corpus: Path, out: Path, minutes: float, tunes: int) -> None:
        self.file, self.out, self.minutes, self.count = corpus, out, minutes, tunes
        self.corpus: Corpus = read(corpus)
        self.train_texts, self.held_out_texts = (part.texts for part in split(self.corpus, "tunes"))
        own_keys = read(corpus, reading=TuneReading(transpose="none"))  # in the same order
        self.train, self.held_out = (
            [read_abc(text).tunes[0] for text in part.texts] for part in split(own_keys, "tunes")
        )

    def model(self, name: str) -> Path:
        """Return the model of this name; train it first if needed."""
        path = self.out / f"{name}.safetensors"
        if not path.exists():
            cell = () if name == CHOSEN else ("--cell", name)
            partial = path.with_stem(f"{name}-unfinished")
            limits = "--minutes", self.minutes, "--seed", 0
            charrnn("train", self.file, *limits, *cell, "--overwrite", "--out", partial)
            partial.rename(path)
        return path

    def loss(self, name: str) -> dict[str, Any]:
        """Score a model on the held-out tunes."""
        checkpoint = load(self.model(name))
        result = evaluate(checkpoint, self.corpus, part="valid")
        config, training = checkpoint.config, checkpoint.training
        characters = training.steps * training.config.batch_size * training.config.seq_len
        return self._nats(result.nats_per_char) | {
            "model": f"{config.cell} {config.num_layers}x{config.hidden_size}",
            "epochs": round(characters / sum(map(len, self.train_texts)), 1),
        }

    def ngrams(self) -> dict[str, Any]:
        """Score n-grams on the held-out tunes; report the best."""
        alphabet = set().union(*self.train_texts, *self.held_out_texts)
        grams = NGrams(self.train_texts, max(ORDERS), len(alphabet))
        losses = {order: grams.nats_per_char(self.held_out_texts, order) for order in ORDERS}
        best = min(losses, key=losses.__getitem__)
        return self._nats(losses[best]) | {"model": f"{best}-gram", "orders": losses}

    def _nats(self, nats_per_char: float) -> dict[str, Any]:
        notes = sum(len(melody(tune)) for tune in self.held_out)
        characters = sum(map(len, self.held_out_texts))
        return {
            "nats_per_char": round(nats_per_char, 4),
            "nats_per_note": round(nats_per_char * characters / notes, 4),
        }

    def tunes(self, temperature: float, constrained: bool) -> dict[str, Any]:
        """Compose tunes without requests, and measure them."""
        tunes = self._composed(self.count, Request(), temperature, constrained)
        kind = "constrained" if constrained else "unconstrained"
        file = self.out / f"{kind}-{temperature}.abc"
        file.write_text(write_abc(tunes), "utf-8")
        return {
            "parse": len(tunes) / self.count,
            "warnings": warnings(file),
            "keys": self._keys_distance(tunes),
            **assess(tunes, self.train).figures,
        }

    def _keys_distance(self, tunes: Sequence[Tune]) -> float | None:
        """Return the distance of the tunes' keys from those of the training tunes."""
        return distance(*(Counter(str(tune.key) for tune in some) for some in (tunes, self.train)))

    def people(self) -> dict[str, Any]:
        """Measure the held-out tunes in the same way."""
        file = self.out / "held-out.abc"
        file.write_text(write_abc(self.held_out), "utf-8")
        figures = assess(self.held_out, self.train).figures
        keys = self._keys_distance(self.held_out)
        return {"parse": 1.0, "warnings": warnings(file), "keys": keys, **figures}

    def people_as_requested(self) -> dict[str, Any]:
        """Measure all tunes in the meter of each of REQUESTS; return the means over the requests.

        In most meters, held-out tunes alone are too few. Figures of copies are skipped: training
        tunes are copies of themselves.
        """
        tunes, corpus = [*self.train, *self.held_out], Sample(self.train)
        samples = [
            Sample([tune for tune in tunes if request.meter in (None, tune.meter)], corpus)
            for request in REQUESTS
        ]
        measured = {
            name: [figure.measure(sample) for sample in samples]
            for name, figure in FIGURES.items()
            if "cop" not in name
        }
        return {name: mean(filter(None, values)) for name, values in measured.items()}

    def requests(self, temperature: float) -> dict[str, Any]:
        """Compose equally many tunes for each of REQUESTS; count those with all properties."""
        each = -(-self.count // len(REQUESTS))
        found, asked = [], each * len(REQUESTS)
        honoured = 0
        for request in REQUESTS:
            tunes = self._composed(each, request, temperature, True)
            honoured += sum(has(tune, request) for tune in tunes)
            found += tunes
        file = self.out / f"requests-{temperature}.abc"
        file.write_text(write_abc(found), "utf-8")
        return {
            "parse": len(found) / asked,
            "honoured": honoured / asked,
            "warnings": warnings(file),
            **assess(found, self.train).figures,
        }

    def _composed(
        self, count: int, request: Request, temperature: float, constrained: bool
    ) -> list[Tune]:
        checkpoint = load(self.model(CHOSEN))
        return [
            tune
            for seed, begin in enumerate(range(0, count, BATCH))
            for tune in compose(
                checkpoint,
                min(BATCH, count - begin),
                meter=request.meter,
                key=request.key,
                bars=request.bars,
                form=request.form,
                temperature=temperature,
                seed=seed,
                constrained=constrained,
            )
        ]

    def speed(self, streams: int) -> dict[str, Any]:
        """Sample with and without the grammar in turns; return the medians and their ratio."""
        checkpoint = load(self.model(CHOSEN))
        reading = reading_of_tunes(checkpoint)
        grammar = tune_grammar(
            checkpoint.tokenizer.alphabet,
            titles=reading.keep_titles,
            countdown=reading.countdown,
        )
        ways = (grammar, None)
        rates: tuple[list[float], list[float]] = [], []
        for turn in range(-1, TURNS):  # the first fills caches and does not count
            for way, rate in zip(ways, rates, strict=True):
                began, characters = time.perf_counter(), 0
                for seed in range(max(1, 20 // streams)):
                    texts = generate(
                        checkpoint,
                        length=LENGTH,
                        num_samples=streams,
                        seed=seed + 100 * turn + 100,
                        constraint=way,
                    )
                    characters += sum(map(len, texts))
                if turn >= 0:
                    rate.append(characters / (time.perf_counter() - began))
        ratio = median(a / b for a, b in zip(*rates, strict=True))
        return {
            "constrained": round(median(rates[0])),
            "unconstrained": round(median(rates[1])),
            "ratio": round(ratio, 2),
        }

    def files(self) -> dict[str, Any]:
        """Compose ten tunes with all files and the page; return the seconds."""
        model, took = self.model(CHOSEN), []
        for seed in range(3):
            with TemporaryDirectory() as folder:
                began = time.perf_counter()
                charrnn("compose", model, "-n", 10, "--seed", seed, "--out", folder)
                took.append(time.perf_counter() - began)
        return {"seconds": round(median(took), 2)}


# ---- checks of a tune --------------------------------------------------------------------------


def warnings(file: Path) -> int | None:
    """Return the number of warnings and errors of abc2midi; None if it is not installed."""
    if not shutil.which("abc2midi"):
        return None
    done = subprocess.run(["abc2midi", file, "-c"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    # It warns of notes of different lengths in a tuplet, which ABC allows.
    return sum(
        ("Warning" in line or "Error" in line) and "Different length notes in tuple" not in line
        for line in lines
    )


def has(tune: Tune, request: Request) -> bool:
    """Whether a tune has the requested properties.

    >>> (tune,) = read_abc("X:1\\nM:2/4\\nL:1/8\\nK:C\\n|:c4|d4:|e4|f4|]").tunes
    >>> has(tune, Request((2, 4), Key("C"), 4, "AAB")), has(tune, Request(bars=5))
    (True, False)
    """
    if request.meter not in (None, tune.meter) or request.key not in (None, tune.key):
        return False
    if request.bars not in (None, written_bars(tune)):
        return False
    if not request.form:
        return True
    written = sections(request.form)
    found = [(music, ":" in line[:1] or "|1" in music) for music, line in _sections(tune)]
    if [repeats for _, repeats in found] != [section.repeats for section in written]:
        return False
    of_letter: dict[str, set[str]] = {}
    for section, (music, _) in zip(written, found, strict=True):
        of_letter.setdefault(section.letter, set()).add(music)
    return all(len(alike) == 1 for alike in of_letter.values())


def _sections(tune: Tune) -> list[tuple[str, str]]:
    """Return the music of each section and the bar line that ends it."""
    body = canonical(tune).split("\n")[2].removeprefix("|:")
    pieces = re.split(r"(:\|(?!2)|::|\|\||\|\]|\|:)", body)[:-1]
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def written_bars(tune: Tune) -> int:
    """Count bars: a pick-up and the bar that completes it are one, and so are two endings."""
    count, first_ending, begins = 0, False, True
    for bar in tune.bars:
        begins = begins or bar.opens
        short = bar.duration < _full(tune) and not (bar.closes or bar.repeats)
        first_ending = bar.ending == 1 or (first_ending and not bar.ending and not begins)
        count += not first_ending and not (begins and short and not bar.ending)
        begins = bar.repeats or bar.closes
    return count


def _full(tune: Tune) -> float:
    return tune.meter[0] / tune.meter[1] if tune.meter else 0.0


# ---- the tables ----------------------------------------------------------------------------------


def show(rows: dict[str, dict[str, Any]]) -> None:
    """Print the rows as Markdown tables."""
    kinds = {
        kind: [(name.partition(" ")[2], rows[name]) for name in names]
        for kind, names in groupby(rows, lambda name: name.partition(" ")[0])
    }
    losses = kinds.get("loss", [])
    if losses:
        print("\n" + table_head("model", "epochs", "nats per character", "per note"))
        for name, row in losses:
            shown = row["model"] + (", chosen" if name == CHOSEN else "")
            epochs = row.get("epochs", "–")
            print(table_row(shown, epochs, row["nats_per_char"], row["nats_per_note"]))
    formats = {
        "parse": ("tunes that parse", ".1%"),
        "honoured": ("requests honored", ".1%"),
        "warnings": ("abc2midi warnings", ",.0f"),
        "keys": ("difference in keys", ".3f"),
        **{name: (figure.label, figure.format) for name, figure in FIGURES.items()},
    }
    for kind, heading in (("tunes", "figure"), ("requests", "with requests")):
        if columns := kinds.get(kind, []):
            print("\n" + table_head(heading, *(name for name, _ in columns)))
            _figures(formats, [row for _, row in columns])
    speeds = kinds.get("speed", [])
    if speeds:
        print("\n" + table_head("streams", "under the grammar", "without", "ratio"))
        for name, row in speeds:
            print(table_row(name, row["constrained"], row["unconstrained"], row["ratio"]))
    if "files ten" in rows:
        print(f"\nTen tunes, all files and the page: {rows['files ten']['seconds']} s")


def _figures(formats: dict[str, tuple[str, str]], columns: Sequence[dict[str, Any]]) -> None:
    for name, (label, form) in formats.items():
        values = [column.get(name) for column in columns]
        if values == [None] * len(values):
            continue
        print(table_row(label, *("–" if v is None else format(v, form) for v in values)))


def main() -> None:
    """Measure the missing rows, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--minutes", type=float, default=3, help="training time of each model")
    parser.add_argument("--tunes", type=int, default=1000, help="tunes per kind and temperature")
    parser.add_argument("--out", type=Path, default=Path("melody"), help="folder of all results")
    parser.add_argument("--json", action="store_true", help="print rows instead of tables")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.corpus, options.out, options.minutes, options.tunes)
    others = [cell for cell in CELLS if cell != ModelConfig().cell]
    jobs: dict[str, Callable[[], dict[str, Any]]] = {
        **{f"loss {name}": lambda name=name: bench.loss(name) for name in (CHOSEN, *others)},
        "loss ngrams": bench.ngrams,
        "tunes held out": bench.people,
        **{
            f"tunes {kind} {t}": lambda t=t, constrained=constrained: bench.tunes(t, constrained)
            for kind, constrained in (("constrained", True), ("unconstrained", False))
            for t in TEMPERATURES
        },
        "requests people": bench.people_as_requested,
        **{f"requests {t}": lambda t=t: bench.requests(t) for t in TEMPERATURES},
        **{f"speed {streams}": lambda streams=streams: bench.speed(streams) for streams in STREAMS},
        "files ten": bench.files,
    }
    results = options.out / "rows.jsonl"
    lines = results.read_text("utf-8").splitlines() if results.exists() else []
    done = {row["row"]: row for row in map(json.loads, lines)}
    for name, job in jobs.items():
        if name not in done:
            began = time.monotonic()
            done[name] = {"row": name, **job(), "took": round(time.monotonic() - began, 1)}
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[name]) + "\n")
            print(f"{name}: {done[name]['took']} s", file=sys.stderr)
    rows = {name: done[name] for name in jobs}
    if options.json:
        print(json.dumps(list(rows.values()), indent=1))
    else:
        show(rows)


if __name__ == "__main__":
    main()
