"""Reports of a run."""

from dataclasses import replace

import pytest

from charrnn.training.state import Report


def test_the_outlook_is_that_of_the_speed_since_an_earlier_report():
    """Whatever came before it, such as the start of the workers, is counted once."""
    first = Report(
        step=1,
        epoch=0.1,
        progress=0.1,
        loss=0.0,
        learning_rate=0.0,
        gradient_norm=0.0,
        characters=0,
        seconds=6.0,
    )
    later = replace(first, epoch=0.3, progress=0.25, seconds=7.5)
    epochs, minutes = later.outlook(first)
    assert epochs == pytest.approx(0.3 + 0.75 / 0.15 * 0.2)
    assert minutes == pytest.approx((7.5 + 0.75 / 0.15 * 1.5) / 60)
