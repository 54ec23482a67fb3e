"""Each kind of document is registered with its Reading; a model file stores its settings."""

from dataclasses import asdict, dataclass

import pytest

from charrnn.errors import ConfigError, UnknownFieldError
from charrnn.text.documents import DOCUMENTS, Documents, reading_of, readings, stored_reading
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


def test_plain_text_kinds_share_one_reading():
    assert {reading_of(kind) for kind in ("whole", "lines", "paragraphs")} == {PlainText}
    assert PLAIN_TEXT.copies == 1
    assert PLAIN_TEXT.augmented(["a", "b"]) == ["a", "b"]


@pytest.mark.usefixtures("_shouts")
def test_a_registered_kind_of_document_has_its_own_reading():
    assert reading_of("shouts") is Shouted
    assert readings().count(Shouted) == readings().count(PlainText) == 1


@pytest.mark.usefixtures("_shouts")
def test_a_stored_reading_is_restored_from_its_kind_and_settings():
    assert stored_reading("shouts", asdict(Shouted(7))) == Shouted(7)
    assert stored_reading("shouts", {}) == Shouted()  # a setting that was added later
    assert stored_reading("whole", {}) == PLAIN_TEXT


@pytest.mark.usefixtures("_shouts")
def test_invalid_or_unknown_settings_of_a_reading_are_refused():
    with pytest.raises(ConfigError, match="loudness is 0"):
        stored_reading("shouts", {"loudness": 0})
    with pytest.raises(UnknownFieldError, match="colour"):
        stored_reading("shouts", {"colour": "red"})
    with pytest.raises(
        ConfigError, match="unknown kind of document 'whispers'; known kinds: whole"
    ):
        stored_reading("whispers", {})
