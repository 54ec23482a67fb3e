"""Repeats, endings and ties as people write them, and their normal form."""

import pytest

from charrnn.music.abc_writer import canonical
from tests.music.abc_examples import HEAD, read_one

NORMAL = {
    "C8:|D8|]": "|:C8:|D8|]",
    "C8||D8:|": "|:C8|D8:|",
    "C8:|D8||E8:|": "|:C8:|D8|:E8:|",
    "|:C8|:D8:|": "|:C8::D8:|",
    "|:C8:||:D8:|": "|:C8::D8:|",
    "|:C8|1 D8|2 E8|]": "|:C8|1D8:|2E8|]",
    "|:C8|1 D8:|2 E8:|F8|]": "|:C8|1D8:|2E8||F8|]",
    "|:C8|1 D8:|2 E8:|3 F8|]": "|:C8|1D8:|2E8|]",
    "|:C8|1 D8|]": "C8|D8|]",
    "C8|2 D8|]": "C8|D8|]",
    "C8-|D8|]": "C8|D8|]",
    "|:C8-|1 C8:|2 D8|]": "|:C8-|1C8:|2D8|]",
}


@pytest.mark.parametrize("written", NORMAL)
def test_repeats_have_a_normal_form(written):
    body = canonical(read_one(HEAD + written)).splitlines()[2]
    assert body == NORMAL[written]
