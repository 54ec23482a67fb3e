"""The page's engine outside of a browser, in node."""

import json
import re
import shutil
import subprocess

import pytest

from charrnn.interop.page import page
from tests.helpers import ROOT
from tests.processes import PATIENCE

WEB = ROOT / "charrnn" / "interop" / "web"
NEEDS_NODE = [
    pytest.mark.oracle,
    pytest.mark.skipif(not shutil.which("node"), reason="node is not installed"),
]

HARNESS = """
const fs = require("fs");
const { engine, description, weights, task, given } = JSON.parse(fs.readFileSync(0, "utf8"));
const bytes = Uint8Array.from(Buffer.from(weights, "base64"));
const model = description;
const result = new Function("model", "buffer", "given", engine + task)(model, bytes.buffer, given);
process.stdout.write(JSON.stringify(result));
"""


def parts_of(html):
    """Return the description of the model in a page, and its weights in base64."""
    found = [
        re.search(rf'id="{id}">(.*?)</script>', html, re.DOTALL)[1]
        for id in ("description", "weights")
    ]
    return json.loads(found[0]), found[1]


def in_node(task, checkpoint, weights="f32", given=None):
    """Return what the statements `task` return; they may use engine.js, `model`, `buffer`, which
    are those of the checkpoint's page, and `given`.
    """
    html = page(checkpoint, "model", weights=weights).data.decode()
    description, data = parts_of(html)
    message = {
        "engine": (WEB / "engine.js").read_text("utf-8"),
        "description": description,
        "weights": data,
        "task": task,
        "given": given,
    }
    run = subprocess.run(
        ["node", "-e", HARNESS],
        input=json.dumps(message).encode(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    return json.loads(run.stdout)
