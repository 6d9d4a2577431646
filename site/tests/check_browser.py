"""The built pages in headless Chromium: `make site-check` runs this."""

import functools
import http.server
import os
import re
import shutil
import threading

import pytest
from axe_playwright_python.sync_playwright import Axe
from check_pages import PAGES
from playwright.sync_api import expect, sync_playwright

from tools import staging
from tools.site import OUT

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LESSON = staging.LESSONS[1]
HAVE_FA = "fa/index.html" in PAGES


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    """The pages as a browser gets them; every other address is out of reach."""
    handler = functools.partial(Quiet, directory=OUT)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    installed = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        # Without one of the system's own, Playwright's: `playwright install chromium`.
        browser = play.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """A page that notes what it complains about and what it asks for elsewhere."""
    page = browser.new_page(viewport=DESK, base_url=address)
    page.complaints = []
    page.on("console", lambda m: m.type in ("error", "warning") and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "request", lambda r: r.url.startswith((address, "data:")) or page.complaints.append(r.url)
    )
    page.on("response", lambda r: r.status >= 400 and page.complaints.append(f"{r.status} {r.url}"))
    page.set_default_timeout(300_000)
    yield page
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_page(page, name):
    """No complaint, formulas drawn, nothing wider than a phone, nothing serious found by axe."""
    page.goto(name)
    assert page.locator("merror").count() == 0
    flat = page.evaluate(
        "[...document.querySelectorAll('math')].filter(m => m.checkVisibility()"
        " && (m.getBoundingClientRect().width < 3 || m.getBoundingClientRect().height < 3)).length"
    )
    assert flat == 0
    found = (
        Axe()
        .run(page, options={"resultTypes": ["violations"], "preload": False})
        .response["violations"]
    )
    serious = {
        f["id"]: [n["html"][:200] for n in f["nodes"]][:3]
        for f in found
        if f["impact"] in ("serious", "critical")
    }
    assert not serious
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    page.goto(name)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    dark = (
        Axe()
        .run(page, options={"runOnly": ["color-contrast"], "preload": False})
        .response["violations"]
    )
    assert not [n["html"][:200] for f in dark for n in f["nodes"]][:3]
    assert not page.complaints


def test_dark_mode_is_dark_and_kept(page):
    page.goto(f"{LESSON}.html")
    page.evaluate("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, colour.strip("rgba()").split(",")[:3])) < 150


def test_folded_code_opens(page):
    page.goto(f"{LESSON}.html")
    fold = page.locator("details").first
    assert not fold.locator("pre").first.is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").first.is_visible()


def hits(page, place, query):
    page.goto(f"{place}search.html?q={query}")
    page.wait_for_selector("#search-results p.search-summary, #search-results .search-summary")
    page.wait_for_function("document.querySelectorAll('ul.search li').length > 0", timeout=60_000)
    return page.locator("ul.search li a").all_inner_texts()


def test_search(page):
    assert any("GRU" in text for text in hits(page, "", "reset gate"))


@pytest.mark.skipif(not HAVE_FA, reason="no Persian pages yet")
def test_search_in_persian_with_arabic_letters(page):
    proper = hits(page, "fa/", "گرادیان")
    assert proper and hits(page, "fa/", "گراديان") == proper
    assert "صفحه پیدا شد" in page.locator(".search-summary").inner_text()


@pytest.mark.skipif(not HAVE_FA, reason="no Persian pages yet")
def test_persian_font_and_directions(page):
    page.goto(f"fa/{LESSON}.html")
    # `fonts.check` is true of a font that there is not, too. Offline the reader's own serves.
    loaded = "document.fonts.ready.then((all) => [...all].some("
    loaded += "(font) => font.family === 'Vazirmatn' && font.status === 'loaded'))"
    if os.environ.get("CI") or (OUT / "fa" / "_static" / "vazirmatn.woff2").is_file():
        assert page.evaluate(loaded)
    for left in ("pre", "math"):
        assert (
            page.locator(f"article {left}").first.evaluate("e => getComputedStyle(e).direction")
            == "ltr"
        )
    assert page.locator("article p").first.evaluate("e => getComputedStyle(e).direction") == "rtl"
    before, after = (
        page.locator(f".prev-next-area a.{x}").bounding_box() for x in ("left-prev", "right-next")
    )
    assert before["x"] > after["x"]


def test_claims_can_be_searched_and_filtered(page):
    page.goto("docs/claims.html")
    rows = page.locator(".claims tbody tr")
    everything = rows.count()
    page.get_by_role("button", name="does not hold").click()
    shown = [row for row in rows.all() if row.is_visible()]
    assert 0 < len(shown) < everything
    assert all("does not hold" in row.inner_text() for row in shown)
    page.get_by_role("button", name="all").click()
    page.get_by_role("searchbox", name="Search the claims").fill("hadamard")
    assert [row.is_visible() for row in rows.all()].count(True) == 1


def test_the_unit_is_played_with_by_keyboard(page):
    """The challenge is solved by the solution alone, and no plot or number is undefined."""
    page.goto("unit.html")
    solved = page.locator("#score.solved")
    assert not solved.count()
    page.locator("[data-do=solution]").press("Enter")
    assert solved.count()
    page.locator("#slider-0").press("ArrowLeft")
    assert page.locator("#value-0").inner_text() == "7.75"
    page.locator("#slider-0").press("Home")
    assert page.locator("#value-0").inner_text() == "−4.00" and not solved.count()
    for key in ("End", "ArrowUp", "ArrowUp"):
        page.locator("#draw").press(key)
    assert page.locator("#draw").get_attribute("aria-valuetext").startswith("step 65:")
    page.locator("#quiet").press("Enter")
    page.locator("#steps input").first.press("ArrowRight")  # the plain RNN
    for name in ("latch", "passer"):
        page.locator(f"[data-do={name}]").press("Enter")
        assert page.locator("#answer p").count() == 1 and not solved.count()
    for step in ("3", "4"):
        page.locator(f"#steps input[value='{step}']").check()
        for cell in ("LSTM", "RNN", "GRU"):
            page.locator(f"#cells input[value={cell}]").check()
            for slider in page.locator("#sliders input").all():
                slider.press("End")
            assert not re.search("NaN|Infinity|undefined", page.locator("main").inner_html())
    page.locator("#all summary").click()
    weight = page.locator("#weights input").first
    weight.fill("5000")
    weight.press("Tab")
    expect(weight).to_have_value("1000")  # the most that counts
    assert not page.complaints
