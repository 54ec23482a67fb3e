"""Settings check their types, ranges and choices, and are read from JSON objects."""

from dataclasses import asdict, dataclass

import pytest

from charrnn.errors import ConfigError, UnknownFieldError
from charrnn.settings import check_fields, from_dict, require_range, setting


@dataclass(frozen=True)
class Oven:
    heat: float = setting(180.0, "Degrees.")
    minutes: int | None = setting(None, "Minutes; by default, until done.")
    mode: str = setting("fan", "Source of heat.", ("fan", "grill"))

    def __post_init__(self):
        check_fields(self)
        require_range(self, "heat", 50, 250)
        require_range(self, "minutes", 0, 90, open_end=True)


def test_settings_within_their_ranges_are_accepted():
    assert Oven(50, 0) == Oven(50.0, 0, "fan")
    assert Oven(250.0, 89, "grill").minutes == 89


def test_an_integer_for_a_float_is_converted():
    assert type(Oven(200).heat) is float


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heat": "180"}, "heat must be a number, got '180'"),
        ({"heat": True}, "heat must be a number, got True"),
        ({"minutes": 1.0}, r"minutes must be an integer, got 1\.0"),
        ({"mode": "steam"}, "mode must be one of fan, grill; got 'steam'"),
        ({"heat": 251}, r"heat must be between 50 and 250, got 251$"),
        ({"heat": float("nan")}, "heat must be between 50 and 250, got nan"),
        ({"minutes": 90}, "minutes must be at least 0 and below 90, got 90"),
    ],
    ids=str,
)
def test_an_invalid_setting_is_named_with_its_valid_values(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Oven(**wrong)


def test_settings_are_created_from_an_object():
    assert from_dict(Oven, asdict(Oven(200, 5))) == Oven(200, 5)


@pytest.mark.parametrize("values", [None, [], "Oven"])
def test_settings_need_an_object(values):
    with pytest.raises(ConfigError, match="Oven"):
        from_dict(Oven, values)


def test_an_unknown_field_is_an_error():
    with pytest.raises(UnknownFieldError, match="Oven has unknown fields: light"):
        from_dict(Oven, {**asdict(Oven()), "light": 1})


def test_a_missing_setting_takes_the_value_from_before_it_existed():
    assert from_dict(Oven, {"heat": 200.0}) == Oven(200.0)

    @dataclass(frozen=True)
    class NewerOven(Oven):
        steam: bool = setting(True, "Steam.", before=False)

    assert NewerOven().steam
    assert not from_dict(NewerOven, {}).steam
    assert from_dict(NewerOven, {"steam": True}).steam
