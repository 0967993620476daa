"""The built book in a real browser: over http and from the disk, with everything foreign cut off.

The browser is the system's Chromium (`chromium`, `chromium-browser` or `google-chrome` on PATH, or
the one that DLBOOK_CHROMIUM names); without one these tests are skipped and say so.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, ConsoleMessage, Page, Route, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.book]

ROOT = Path(__file__).resolve().parents[1]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
SIZES = {"desk": (1400, 1000), "phone": (390, 844)}
NOT_PARTS = {"api", "gallery", "_ext", "_static", "_data", "_templates"}
CHAPTERS = sorted(
    f"{path.parent.name}/{path.stem}.html"
    for path in (ROOT / "book").glob("*/*.md")
    if path.parent.name not in NOT_PARTS
)


def chromium() -> str | None:
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    named = os.environ.get("DLBOOK_CHROMIUM")
    return named or next((path for name in names if (path := shutil.which(name))), None)


class Quiet(SimpleHTTPRequestHandler):
    """A server that keeps its log to itself."""

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(book: Path) -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(book)))
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser(book: Path) -> Iterator[Browser]:
    path = chromium()
    if path is None:
        reason = (
            "no Chromium on PATH (Debian: apt-get install chromium), or name it in DLBOOK_CHROMIUM"
        )
        if os.environ.get("DLBOOK_BROWSER_REQUIRED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as api:
        instance = api.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield instance
        instance.close()


@pytest.fixture(params=["http", "file"])
def base(request: pytest.FixtureRequest, server: str, book: Path) -> str:
    """Where the pages are opened from: a local server, or the disk."""
    return server if request.param == "http" else book.resolve().as_uri()


@dataclass
class Visit:
    """A page that was opened, and everything it complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)


def visit(
    browser: Browser, address: str, size: str = "desk", scheme: str = "light", **options: Any
) -> Visit:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, **options
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    seen = Visit(page)

    def local_only(route: Route) -> None:
        url = route.request.url
        if url.startswith(("http://127.0.0.1:", "file:", "data:", "blob:")):
            route.continue_()
        else:
            seen.complaints.append(f"asks another host: {url}")
            route.abort()

    def heard(message: ConsoleMessage) -> None:
        # The theme notes there which colour mode it is in; nothing else may be said.
        if not (message.type == "log" and message.text.startswith("[PST]:")):
            seen.complaints.append(f"console {message.type}: {message.text}")

    context.route("**/*", local_only)
    page.on("console", heard)
    page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
    page.on("requestfailed", lambda r: seen.complaints.append(f"failed: {r.url} ({r.failure})"))
    page.on(
        "response",
        lambda r: (
            seen.complaints.append(f"status {r.status}: {r.url}") if r.status >= 400 else None
        ),
    )
    page.goto(address, wait_until="load")
    return seen


def settle_formulas(page: Page) -> None:
    """Wait until MathJax, where the page has it, has set every formula."""
    page.evaluate("() => window.MathJax?.startup?.promise?.then(() => true) ?? true")


def one_of_each(book: Path) -> dict[str, str]:
    """The index, a chapter, a gallery page and an API page, by kind, as far as they exist."""
    kinds = {"index": "index.html", "notation": "notation.html"}
    built = [name for name in CHAPTERS if (book / name).is_file()]
    if built:
        kinds["chapter"] = next((n for n in built if "backpropagation" in n), built[0])
    gallery = sorted((book / "gallery").rglob("plot_*.html"))
    if gallery:
        kinds["gallery"] = gallery[0].relative_to(book).as_posix()
        kinds["gallery index"] = "gallery/index.html"
    api = sorted(p for p in (book / "api").glob("*.html") if p.name != "index.html")
    if api:
        kinds["api"] = (
            next((p for p in api if "activations" in p.name), api[0]).relative_to(book).as_posix()
        )
    return kinds


KINDS = ["index", "notation", "chapter", "gallery", "gallery index", "api"]


def address_of(kind: str, book: Path, base: str) -> str:
    found = one_of_each(book).get(kind)
    if found is None:
        pytest.skip(f"the book has no page of this kind yet: {kind}")
    return f"{base}/{found}"


@pytest.mark.parametrize(
    "name", [*CHAPTERS, "index.html", "notation.html", "errata.html", "search.html"]
)
def test_formulas_render_and_the_console_is_silent(
    browser: Browser, book: Path, base: str, name: str
) -> None:
    if not (book / name).is_file():
        pytest.fail(f"{name} is not in the built book")
    seen = visit(browser, f"{base}/{name}")
    settle_formulas(seen.page)
    counted: dict[str, Any] = seen.page.evaluate(
        """() => {
            const all = [...document.querySelectorAll('span.math, div.math')];
            const wrong = [...document.querySelectorAll('mjx-merror, [data-mjx-error], '
                + 'g[data-mml-node="merror"], mjx-container [fill="red"]')];
            return {
                written: all.length,
                set: all.filter(e => e.querySelector('mjx-container')).length,
                empty: all.filter(e => !e.querySelector('mjx-container svg'))
                    .map(e => e.textContent.slice(0, 60)),
                wrong: wrong.map(e => e.getAttribute('data-mjx-error')
                    ?? e.closest('.math')?.textContent.slice(0, 80) ?? '?'),
            };
        }"""
    )
    seen.page.context.close()
    assert not counted["wrong"], f"{name}: formulas with errors: {counted['wrong']}"
    assert not counted["empty"], f"{name}: formulas left as TeX: {counted['empty']}"
    assert counted["set"] == counted["written"], f"{name}: {counted}"
    assert not seen.complaints, f"{name}: " + "; ".join(seen.complaints)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_page_opens_silently(
    browser: Browser, book: Path, base: str, kind: str
) -> None:
    seen = visit(browser, address_of(kind, book, base))
    settle_formulas(seen.page)
    seen.page.context.close()
    assert not seen.complaints, "; ".join(seen.complaints)


def test_search_finds(browser: Browser, base: str) -> None:
    seen = visit(browser, f"{base}/search.html?q=softmax")
    seen.page.wait_for_selector("#search-results ul li a", timeout=20_000)
    seen.page.wait_for_timeout(300)
    links = seen.page.eval_on_selector_all("#search-results ul li a", "all => all.map(a => a.href)")
    # Each result's page is still being fetched for its extract. To click would break that off, and
    # the broken-off requests would count as complaints: so the first result is opened by itself.
    complaints = list(seen.complaints)
    seen.page.context.close()
    hit = visit(browser, links[0])
    text = hit.page.inner_text("body").lower()
    hit.page.context.close()
    assert "softmax" in text, f"{links[0]} does not contain the word that found it"
    assert not complaints + hit.complaints, "; ".join(complaints + hit.complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(
    browser: Browser, book: Path, server: str, kind: str, size: str, scheme: str
) -> None:
    axe_module = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    # Still colours are measured, not half-way through a transition.
    seen = visit(browser, address_of(kind, book, server), size, scheme, reduced_motion="reduce")
    settle_formulas(seen.page)
    seen.page.wait_for_timeout(200)
    found = axe_module.Axe().run(seen.page).response["violations"]
    seen.page.context.close()
    lines = []
    for violation in found:
        for node in violation["nodes"][:5]:
            target = " ".join(str(part) for part in node["target"])
            summary = " ".join(node.get("failureSummary", "").split())[:260]
            lines.append(f"{violation['id']} at {target}: {summary}")
        if len(violation["nodes"]) > 5:
            lines.append(f"{violation['id']}: {len(violation['nodes']) - 5} more")
    assert not lines, f"{kind}, {size}, {scheme}:\n  " + "\n  ".join(lines)


@pytest.mark.parametrize("kind", [*KINDS, *CHAPTERS])
def test_a_phone_never_scrolls_sideways(
    browser: Browser, book: Path, server: str, kind: str
) -> None:
    address = f"{server}/{kind}" if kind in CHAPTERS else address_of(kind, book, server)
    seen = visit(browser, address, "phone")
    settle_formulas(seen.page)
    wide: dict[str, Any] = seen.page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            const clipped = e => {
                for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
                    if (getComputedStyle(p).overflowX !== 'visible') return true;
                return false;
            };
            const out = [...document.querySelectorAll('main *, article *')].filter(e => {
                const box = e.getBoundingClientRect();
                return box.width > 0 && box.right > width + 1 && !clipped(e);
            });
            return {
                width, page: document.documentElement.scrollWidth,
                out: out.slice(0, 8).map(e => `<${e.tagName.toLowerCase()} class="${e.className}"> `
                    + (e.textContent ?? '').trim().slice(0, 50)),
            };
        }"""
    )
    seen.page.context.close()
    assert wide["page"] <= wide["width"], (
        f"{kind} is {wide['page']} px wide at {wide['width']}: {wide['out']}"
    )
