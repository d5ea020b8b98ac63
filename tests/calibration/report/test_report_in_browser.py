"""The report as a browser shows it, where the machine has one: headless Chromium.

The browser is driven over its own DevTools protocol on 127.0.0.1; it opens the file from disk.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mmrare_judge.calibration.report.blocks import Findings
from mmrare_judge.calibration.report.render import write_reports
from support.report_studies import full_findings

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PROGRAM = next(filter(None, map(shutil.which, BROWSERS)), None)
WIDTHS = {"desktop": 1280, "phone": 375}

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason=f"no browser on this machine; looked for {', '.join(BROWSERS)}"
)

SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip

LOOK = """(() => ({
  width: innerWidth,
  wide: document.documentElement.scrollWidth,
  plots: Array.from(document.querySelectorAll('figure > .plot > svg'), svg => {
    const box = svg.getBoundingClientRect();
    const marks = svg.querySelectorAll('path, use').length;
    return [svg.parentElement.parentElement.id, box.width, box.height, marks];
  }),
  size: Math.min(...Array.from(document.querySelectorAll('main p, main td'),
                               e => parseFloat(getComputedStyle(e).fontSize))),
  captions: Math.max(...Array.from(document.querySelectorAll('caption > div'),
                                  e => e.getBoundingClientRect().right)),
  scripts: document.scripts.length,
  first: ['#verdict', '.change'].map(
    one => document.querySelector(one).getBoundingClientRect().bottom + scrollY),
}))()"""

UNFOLD = "document.querySelectorAll('details').forEach(one => { one.open = true; }), 0"

ATTACK = """(() => {
  const script = document.createElement('script');
  script.textContent = 'window.harmed = true';
  document.body.append(script);
  const image = document.createElement('img');
  image.src = 'http://127.0.0.1:9/harm.png';
  document.body.append(image);
  return window.harmed === true;
})()"""


@dataclass
class Session:
    """One page in the browser: what was said to it, and what it said."""

    socket: aiohttp.ClientWebSocketResponse
    id: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    said: int = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events on the way are kept."""
        self.said += 1
        message = {"id": self.said, "method": method, "params": params}
        await self.socket.send_json(message | ({"sessionId": self.id} if self.id else {}))
        while True:
            answer = await self.socket.receive_json(timeout=60)
            if answer.get("id") == self.said:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    async def event(self, method: str) -> None:
        """Wait for an event."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(await self.socket.receive_json(timeout=60))

    def heard(self, method: str) -> list[dict[str, Any]]:
        """The events of a kind so far."""
        return [event["params"] for event in self.events if event.get("method") == method]

    async def value(self, script: str) -> Any:
        """What an expression is worth on the page."""
        found = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"]["value"]

    async def resize(self, width: int) -> None:
        """Show the page in a window of this width."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """What was seen of a report."""

    attempts: dict[str, dict[str, Any]]
    problems: list[dict[str, Any]]
    requests: list[str]
    pdf: bytes
    pictures: dict[str, Path]
    harmed: bool
    blocked: list[str]
    page: str
    opened: int


@asynccontextmanager
async def _browser(profile: Path) -> AsyncIterator[Session]:
    quiet = asyncio.subprocess.DEVNULL
    program = await asyncio.create_subprocess_exec(
        PROGRAM or "", *SWITCHES, f"--user-data-dir={profile}", stdout=quiet, stderr=quiet
    )
    try:
        address = await _address(profile)
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(address, max_msg_size=0) as socket,
        ):
            session = Session(socket)
            yield session
            session.id = ""
            await session.ask("Browser.close")
        await asyncio.wait_for(program.wait(), 20)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


async def _address(profile: Path) -> str:
    """Where the browser listens: it writes that into its profile."""
    port = profile / "DevToolsActivePort"
    for _ in range(600):
        lines = port.read_text().splitlines() if port.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        await asyncio.sleep(0.1)
    raise AssertionError("the browser never said where it listens")


async def _visit(page: Path, folder: Path) -> Visit:
    async with _browser(folder / "profile") as session:
        target = await session.ask("Target.createTarget", url="about:blank")
        attached = await session.ask("Target.attachToTarget", **target, flatten=True)
        session.id = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await session.ask(f"{domain}.enable")
        await session.ask("Page.navigate", url=page.as_uri())
        await session.event("Page.loadEventFired")
        folded = await session.value("document.querySelectorAll('details[open]').length")
        await session.value(UNFOLD)
        attempts, pictures = {}, {}
        for name, width in WIDTHS.items():
            await session.resize(width)
            attempts[name] = await session.value(LOOK)
            shot = await session.ask("Page.captureScreenshot", captureBeyondViewport=True)
            pictures[name] = folder / f"{name}.png"
            pictures[name].write_bytes(base64.b64decode(shot["data"]))
        await session.value(UNFOLD.replace("true", "false"))
        pdf = await session.ask("Page.printToPDF", preferCSSPageSize=True)
        problems = [
            *session.heard("Runtime.exceptionThrown"),
            *session.heard("Runtime.consoleAPICalled"),
            *session.heard("Log.entryAdded"),
        ]
        requests = [sent["request"]["url"] for sent in session.heard("Network.requestWillBeSent")]
        harmed = await session.value(ATTACK)
        said = session.heard("Log.entryAdded") + session.heard("Runtime.consoleAPICalled")
        return Visit(
            attempts, problems, requests, base64.b64decode(pdf["data"]), pictures, harmed,
            [entry["entry"]["text"] for entry in said if "entry" in entry], page.as_uri(), folded,
        )  # fmt: skip


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """One visit for all tests; the pictures stay in the folder of the test run."""
    folder = tmp_path_factory.mktemp("report")
    page = write_reports(full_findings(), folder)[0]
    return asyncio.run(_visit(page, folder))


def test_the_page_reports_no_error_and_asks_for_nothing_but_itself(visit: Visit) -> None:
    assert visit.problems == []
    assert visit.requests == [visit.page]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_plot_has_a_size_and_is_drawn(visit: Visit, width: str) -> None:
    plots = visit.attempts[width]["plots"]
    kinds = {
        "forest", "confusion", "differences", "reliability", "risk-coverage",
        "bias", "epsilon", "corrected",
    }  # fmt: skip
    assert kinds <= {name.rstrip("-0123456789") for name, *_ in plots}
    assert [name for name, wide, high, marks in plots if min(wide, high) < 100 or marks < 5] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_never_wider_than_its_window(visit: Visit, width: str) -> None:
    look = visit.attempts[width]
    assert look["width"] == WIDTHS[width]
    assert look["wide"] <= look["width"]


@pytest.mark.parametrize("width", WIDTHS)
def test_captions_of_tables_that_scroll_are_not_cut_off(visit: Visit, width: str) -> None:
    assert visit.attempts[width]["captions"] <= WIDTHS[width]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_smallest_words_can_be_read(visit: Visit, width: str) -> None:
    assert visit.attempts[width]["size"] >= 12


def large_findings() -> Findings:
    """Six criteria and twenty systems, with ten cases told."""
    found = full_findings()
    safe, dose = found.criteria
    score, bias = found.corrected["dose"], found.bias[0]
    group = bias.groups[0]
    systems = [f"model {n:02d}" for n in range(20)]
    groups = tuple(group.model_copy(update={"group": name}) for name in systems)
    return replace(
        found,
        criteria=tuple(replace(one, name=f"{one.name}_{n}") for n in "123" for one in (safe, dose)),
        corrected=dict.fromkeys(["all systems", *systems], score),
        bias=(replace(bias, groups=groups), bias, bias),
        cases=found.cases * 10,
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    folder = tmp_path_factory.mktemp("large")
    return asyncio.run(_visit(write_reports(large_findings(), folder)[0], folder))


def test_six_criteria_and_twenty_systems_print_on_fifteen_pages(large: Visit) -> None:
    assert 3 <= large.pdf.count(b"/Type /Page\n") <= 15


@pytest.mark.parametrize("width", WIDTHS)
def test_the_first_screen_has_the_verdict_and_what_would_change_it(
    large: Visit, width: str
) -> None:
    verdict, numbers = large.attempts[width]["first"]
    assert verdict < 500
    assert numbers < (900 if width == "desktop" else 1100)


def test_it_prints_on_a_few_pages(visit: Visit) -> None:
    assert visit.pdf.startswith(b"%PDF-")
    assert 3 <= visit.pdf.count(b"/Type /Page\n") <= 15


def test_what_is_folded_away_is_closed_when_the_page_opens(visit: Visit) -> None:
    assert visit.opened == 0


def test_a_script_that_got_into_the_page_would_not_run(visit: Visit) -> None:
    """The content policy is the second line of defence behind the escaping."""
    assert visit.attempts["desktop"]["scripts"] == 0
    assert not visit.harmed
