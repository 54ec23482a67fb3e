"""A model's page in a browser."""

import pytest

from charrnn.interop.page import page
from tests.chromium import Tab, assert_quiet


@pytest.fixture
def visit(browser, tmp_path):
    """Open the page of a model. At the end, there were no errors and no requests. Unless `opening`,
    the page begins with an empty text instead of one that the model writes.
    """
    path = tmp_path / "page.html"

    def visit(checkpoint, name="model", weights="f32", opening=False, prepared="", **options):
        path.write_bytes(page(checkpoint, name, weights=weights).data)
        tab = Tab(browser, path.as_uri(), prepared, **options)
        if not opening:
            tab.evaluate("model.ready.then(() => { setText(''); past = []; afterChange(); })")
        return tab

    yield visit
    assert_quiet(browser, path)
