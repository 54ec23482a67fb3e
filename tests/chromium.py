"""A real browser without a window, driven over a pipe by its DevTools protocol."""

import json
import os
import select
import shutil
import signal

import pytest

from tests.processes import PATIENCE

ALT, CTRL, SHIFT = 1, 2, 8
COMMAND = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)


class Browser:
    """A Chromium of its own, with an empty profile; `close` ends it."""

    def __init__(self, profile):
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()
        # It reads from 3 and writes to 4: its ends are moved away from there first.
        fcntl = pytest.importorskip("fcntl")
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out)]
        self.pid = os.posix_spawn(
            COMMAND,
            [
                COMMAND,
                "--headless=new",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-sync",
                "--disable-audio-output",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "about:blank",
            ],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, high[0], 3),
                (os.POSIX_SPAWN_DUP2, high[1], 4),
            ],
            setpgroup=0,
        )
        for end in (theirs_in, theirs_out, *high):
            os.close(end)
        self.unread = b""
        self.number = 0
        self.events = []
        self.targets = []  # of the open tabs

    def send(self, method, session=None, **params):
        """Call a method of the protocol; return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        """Wait for an event; return what it tells."""
        while True:
            for event in self.events:
                if event["method"] == method:
                    self.events.remove(event)
                    return event["params"]
            self.events.append(self._receive())

    def _receive(self):
        while b"\0" not in self.unread:
            assert select.select([self.into], [], [], PATIENCE)[0], "the browser does not answer"
            block = os.read(self.into, 1 << 20)
            assert block, "the browser is gone"
            self.unread += block
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def close_tabs(self):
        """Close all tabs."""
        while self.targets:
            self.send("Target.closeTarget", targetId=self.targets.pop())

    def close(self):
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.out)
        os.close(self.into)


class Tab:
    """A page open in a browser, `prepared` by a script that runs before the page's own, without
    anything stored by a page before.
    """

    def __init__(self, browser, url, prepared="", dark=False, calm=False, size=(1100, 900)):
        self.browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        browser.targets.append(target)
        self.session = browser.send("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=prepared)
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce" if calm else ""}
        self.send("Emulation.setEmulatedMedia", features=[scheme, motion])
        self.send("Storage.clearDataForOrigin", origin="file://", storageTypes="all")
        browser.events.clear()
        self.send("Page.navigate", url=url)
        browser.wait("Page.loadEventFired")

    def send(self, method, **params):
        return self.browser.send(method, self.session, **params)

    def evaluate(self, expression):
        """Return the value of a JavaScript expression, once its promise is kept."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def reload(self):
        """Load the page again, with what it has stored."""
        self.send("Page.reload")
        self.browser.wait("Page.loadEventFired")

    def until(self, expression):
        """Wait until a JavaScript expression is true."""
        self.evaluate(
            f"""new Promise((resolve) => {{
                const look = () => ({expression}) ? resolve(true) : requestAnimationFrame(look);
                look();
            }})"""
        )

    def click(self, selector):
        """Click the middle of the first element that the selector finds, as a hand would."""
        x, y = self.evaluate(
            f"""(() => {{
                const box = document.querySelector({json.dumps(selector)});
                box.scrollIntoView({{block: "center"}});
                const {{x, y, width, height}} = box.getBoundingClientRect();
                return [x + width / 2, y + height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key, code, number=0, modifiers=0):
        """Press a key, by its name, its place, and its number among Windows' virtual keys, together
        with the `modifiers` ALT, CTRL and SHIFT.
        """
        text = {"text": key} if len(key) == 1 and not modifiers else {}
        event = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, **event, **text)

    def type(self, text):
        """Type a text at the cursor."""
        for character in text:
            self.send("Input.insertText", text=character)


def assert_quiet(browser, path):
    """Assert that the tabs met no error and asked for nothing but the file `path`; close them."""
    requests = [event for event in browser.events if event["method"] == "Network.requestWillBeSent"]
    asked = {event["params"]["request"]["url"] for event in requests}
    assert {url for url in asked if not url.startswith("blob:")} <= {path.as_uri()}
    trouble = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [event for event in browser.events if event["method"] in trouble] == []
    browser.close_tabs()
