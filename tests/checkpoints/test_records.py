"""Records are stored and parsed unchanged, and invalid records are rejected."""

import json
from dataclasses import asdict

import pytest

from charrnn.checkpoints.records import (
    MAX_NUMBER,
    HistoryEntry,
    Selection,
    StoredReading,
    TrainConfig,
    TrainingRecord,
    history_document,
    is_number,
    parsed_history,
    parsed_record,
    parsed_selection,
)
from charrnn.errors import ConfigError, UnknownFieldError

RECORD = TrainingRecord(
    TrainConfig("torch", batch_size=7, documents="tunes", valid_fraction=0.0),
    steps=12,
    characters=3456,
    corpus="c0ffee",
    valid="beef",
    selection=Selection(("cell",), ("hidden_size", "dropout")),
    reading=StoredReading("tunes", {"transpose": "all", "keep_titles": True}),
)
HISTORY = [HistoryEntry(5, 3.5, 3.25), HistoryEntry(10, 2.5, 2.75)]


def stored(document):
    """Return `document` after conversion to JSON and back."""
    return json.loads(json.dumps(document))


@pytest.mark.parametrize("record", [TrainingRecord(), RECORD], ids=["empty", "full"])
def test_a_record_is_stored_and_parsed_unchanged(record):
    assert parsed_record(stored(asdict(record))) == record


def test_the_settings_of_a_reading_are_not_interpreted():
    record = parsed_record(
        stored(asdict(RECORD)) | {"reading": {"documents": "x", "settings": {"y": [1]}}}
    )
    assert record.reading == StoredReading("x", {"y": [1]})


@pytest.mark.parametrize(
    "change",
    [
        *({"steps": "12"}, {"characters": None}, {"steps": 10**400}, {"corpus": 7}),
        *({"config": None}, {"config": {"batch_size": 0}}, {"config": {"valid_fraction": 5}}),
        *({"selection": []}, {"selection": {"stated": "cell"}}, {"selection": {"stated": [1]}}),
        *({"reading": None}, {"reading": {"documents": 1}}, {"reading": {"settings": []}}),
    ],
    ids=str,
)
def test_an_invalid_record_is_rejected(change):
    with pytest.raises(ConfigError):
        parsed_record(stored(asdict(RECORD)) | change)


@pytest.mark.parametrize("document", [None, [], "steps"], ids=str)
def test_a_record_must_be_an_object(document):
    with pytest.raises(ConfigError):
        parsed_record(document)


@pytest.mark.parametrize("place", [(), ("config",), ("selection",), ("reading",)], ids=str)
def test_an_unknown_field_raises_its_own_error(place):
    document = part = stored(asdict(RECORD))
    for name in place:
        part = part[name]
    part["invented_later"] = 1
    with pytest.raises(UnknownFieldError, match="invented_later"):
        parsed_record(document)


def test_a_missing_selection_is_none():
    assert parsed_selection(None) is None


@pytest.mark.parametrize("history", [[], HISTORY], ids=["empty", "two entries"])
def test_a_history_is_stored_and_parsed_unchanged(history):
    assert parsed_history(stored(history_document(history))) == history


def test_a_history_is_stored_by_column():
    assert history_document(HISTORY) == {
        "step": [5, 10],
        "train": [3.5, 2.5],
        "valid": [3.25, 2.75],
    }


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], {}, {"step": 1, "train": 2, "valid": 3}),
        *({"step": [1], "train": [2]}, {"step": [1], "train": [2, 3], "valid": [4]}),
        *(
            {"step": [1], "train": [2], "valid": ["3"]},
            {"step": [1], "train": [2], "valid": [1e300]},
        ),
    ],
    ids=str,
)
def test_an_invalid_history_is_rejected(document):
    with pytest.raises(ConfigError):
        parsed_history(document)


def test_numbers_are_finite_and_bounded():
    assert all(map(is_number, (0, -1.5, MAX_NUMBER - 1)))
    assert not any(map(is_number, (MAX_NUMBER, -(10**400), float("inf"), float("nan"), "1", None)))
