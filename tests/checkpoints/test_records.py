"""Records come back from a file as they were, and what a file says wrongly is refused."""

import json
from dataclasses import asdict

import pytest

from charrnn.checkpoints.records import (
    MAX_NUMBER,
    HistoryEntry,
    Selection,
    TrainConfig,
    TrainingRecord,
    is_number,
    parsed_history,
    parsed_selection,
    selection_document,
)
from charrnn.errors import ConfigError

STATED = Selection(("cell", "seed"), (), 4, 10.0)
SELECTED = Selection(("cell",), ("hidden_size", "dropout"), 2, 0.25)
NOTHING_STATED = Selection((), ("hidden_size",), 1, 10.0)
RECORD = TrainingRecord(
    TrainConfig("torch", batch_size=7, documents="tunes", valid_fraction=0.0),
    steps=12,
    characters=3456,
    corpus="c0ffee",
    valid="beef",
    selection=SELECTED,
    reading={"transpose": "all", "keep_titles": True},
)


def stored(document):
    """Return what comes back from JSON."""
    return json.loads(json.dumps(document))


# ---- the record of a training --------------------------------------------------------------------


@pytest.mark.parametrize("record", [TrainingRecord(), RECORD], ids=["empty", "full"])
def test_a_record_comes_back_as_it_was(record):
    assert TrainingRecord.parsed(stored(record.document())) == record


def test_a_record_is_one_flat_object_in_the_order_of_names():
    document = RECORD.document()
    assert list(document) == sorted(document)
    assert document["batch_size"] == 7
    assert document["chosen"] == "hidden_size, dropout"
    assert document["transpose"] == "all"


def test_settings_of_a_reading_are_kept_uninterpreted():
    assert TrainingRecord.parsed({"tempo": [120]}).reading == {"tempo": [120]}


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], "steps"),
        *({"steps": "12"}, {"characters": None}, {"steps": 10**400}),
        *({"batch_size": 0}, {"init": "magic"}, {"documents": ["lines"]}),
    ],
    ids=str,
)
def test_a_record_that_cannot_be_one_is_refused(document):
    with pytest.raises(ConfigError):
        TrainingRecord.parsed(document)


# ---- how its settings came about -----------------------------------------------------------------


@pytest.mark.parametrize("selection", [SELECTED, NOTHING_STATED], ids=["both", "nothing stated"])
def test_a_selection_comes_back_as_it_was(selection):
    assert parsed_selection(stored(selection_document(selection))) == selection


def test_where_nothing_was_selected_cores_and_minutes_are_not_recorded():
    document = selection_document(STATED)
    assert document == {"stated": "cell, seed"}
    assert parsed_selection(document) == Selection(("cell", "seed"), (), 0, 0.0)


@pytest.mark.parametrize("document", [{}, None, [], {"chosen": "seed", "cores": "two"}], ids=str)
def test_a_selection_that_cannot_be_read_is_none(document):
    assert parsed_selection(document) is None
    assert selection_document(None) == {}


# ---- the history ---------------------------------------------------------------------------------


def test_a_history_comes_back_as_it_was():
    history = [HistoryEntry(5, 3.5, 3.25), HistoryEntry(10, 2.5, 2.75)]
    assert parsed_history(stored([asdict(entry) for entry in history])) == history
    assert parsed_history([]) == []


@pytest.mark.parametrize(
    "document",
    [None, {}, [3], [{}], [{"step": 5, "train": 1}], [{"step": 5, "train": 1, "valid": "1"}]],
    ids=str,
)
def test_a_history_that_cannot_be_one_is_refused(document):
    with pytest.raises(ConfigError, match="the record of its training is none"):
        parsed_history(document)


def test_a_number_is_not_absurdly_large():
    assert all(map(is_number, (0, -1.5, MAX_NUMBER - 1)))
    assert not any(map(is_number, (MAX_NUMBER, -(10**400), float("inf"), float("nan"), "1", None)))
