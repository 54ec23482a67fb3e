"""Settings check their types, ranges and choices, and come back from a JSON object."""

from dataclasses import asdict, dataclass

import pytest

from charrnn.errors import ConfigError, UnknownFieldError
from charrnn.settings import check_fields, from_dict, require_range, setting


@dataclass(frozen=True)
class Oven:
    heat: float = setting(180.0, "Degrees.")
    minutes: int | None = setting(None, "Minutes; by default until it is done.")
    mode: str = setting("fan", "Where the heat comes from.", ("fan", "grill"))

    def __post_init__(self):
        check_fields(self)
        require_range(self, "heat", 50, 250)
        require_range(self, "minutes", 0, 90, open_end=True)


def test_settings_within_their_ranges_are_taken():
    assert Oven(50, 0) == Oven(50.0, 0, "fan")
    assert Oven(250.0, 89, "grill").minutes == 89


def test_a_whole_number_becomes_a_float_where_it_stands_for_one():
    assert type(Oven(200).heat) is float


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heat": "180"}, "heat is '180': it must be float"),
        ({"heat": True}, "heat is True: it must be float"),
        ({"minutes": 1.0}, r"minutes is 1\.0: it must be int"),
        ({"mode": "steam"}, "mode is 'steam': choose one of fan, grill"),
        ({"heat": 251}, r"heat is 251\.0: it must be 50 to 250"),
        ({"heat": float("nan")}, "heat is nan: it must be 50 to 250"),
        ({"minutes": 90}, "minutes is 90: it must be at least 0 and below 90"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_with_what_it_must_be(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Oven(**wrong)


def test_settings_come_back_from_an_object():
    assert from_dict(Oven, asdict(Oven(200, 5))) == Oven(200, 5)


@pytest.mark.parametrize("values", [None, [], "Oven"])
def test_settings_come_from_an_object(values):
    with pytest.raises(ConfigError, match="Oven"):
        from_dict(Oven, values)


def test_a_name_that_no_setting_has_is_unknown():
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
