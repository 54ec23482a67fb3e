"""A kind of document is registered with how its files are read; a record brings that back."""

from dataclasses import asdict, dataclass, fields

import pytest

from charrnn.errors import ConfigError
from charrnn.text.documents import DOCUMENTS, Documents, reading_of, readings, recorded_reading
from charrnn.text.plain import PLAIN_TEXT, PlainText


@dataclass(frozen=True)
class Shouted(PlainText):
    """Text with a setting."""

    loudness: int = 1

    def __post_init__(self):
        if self.loudness < 1:
            raise ConfigError(f"loudness is {self.loudness}")


@pytest.fixture
def _shouts(monkeypatch):
    """Register documents that are read as `Shouted`."""
    monkeypatch.setitem(DOCUMENTS, "shouts", Documents("!", f"{__name__}:Shouted"))


def test_text_is_read_as_it_is():
    assert {reading_of(kind) for kind in ("whole", "lines", "paragraphs")} == {PlainText}
    assert PLAIN_TEXT.copies == 1
    assert PLAIN_TEXT.augmented(["a", "b"]) == ["a", "b"]


@pytest.mark.usefixtures("_shouts")
def test_a_kind_of_document_is_registered_with_its_reading():
    assert reading_of("shouts") is Shouted
    assert readings().count(Shouted) == readings().count(PlainText) == 1


def test_no_two_readings_have_a_setting_of_one_name():
    """By its settings a reading is recognised in a record."""
    names = [field.name for reading in readings() for field in fields(reading)]
    assert len(names) == len(set(names))


@pytest.mark.usefixtures("_shouts")
def test_a_reading_comes_back_from_a_record_among_other_things():
    assert recorded_reading({**asdict(Shouted(7)), "seed": 3, "cell": "gru"}) == Shouted(7)


def test_a_record_without_settings_is_that_of_plain_text():
    assert recorded_reading({"seed": 3}) == recorded_reading({}) == PLAIN_TEXT


@pytest.mark.usefixtures("_shouts")
def test_recorded_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="loudness is 0"):
        recorded_reading({"loudness": 0})
