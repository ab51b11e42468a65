"""What people see and do on the page, in a real Chromium, with the committed cassettes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from support.upstream import LAST, SSE_HEAD, Gate, chunk, scripted_upstream
from support.wire import ask_json, connect
from wiretape.cassette.writer import cassette_text
from wiretape.core.addresses import Address
from wiretape.core.model import Body, Cassette, Chunk, End, Entry, Mode, Outcome, Request, Response
from wiretape.server.serve import Running, running
from wiretape.server.settings import Settings

CASSETTES = Path(__file__).parents[2] / "cassettes"
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SSE = (("Content-Type", "text/event-stream"),)


@contextlib.asynccontextmanager
async def viewing(
    directory: Path = CASSETTES, mode: Mode = Mode.REPLAY, **changes: Any
) -> AsyncIterator[Running]:
    settings = Settings(mode, directory, listen=Address("127.0.0.1", 0), grace_s=1.0, **changes)
    async with running(settings) as proxy:
        yield proxy


def at(proxy: Running, **query: str | int) -> str:
    return f"{proxy.url}/_wiretape/?{urlencode(query)}"


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


def asked(number: int, at_us: int, text: str) -> list[Entry]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(body))))
    request = Request(number, at_us, "POST", "/v1/chat/completions", headers, Body.of(body))
    return [request, Response(number, at_us + 10, 200, SSE)]


def put(directory: Path, name: str, entries: list[Entry]) -> None:
    text = cassette_text(Cassette(name, NOON, "http://127.0.0.1:11434", tuple(entries)))
    (directory / f"{name}.yaml").write_text(text)


async def highlighted(page: Any) -> list[str]:
    """The text that is marked as picked."""
    return await page.evaluate(
        "() => [...(CSS.highlights.get('picked') ?? [])].map((range) => range.toString())"
    )


@pytest.fixture
def expect() -> Any:
    return pytest.importorskip("playwright.async_api").expect


async def test_the_parallel_calls_are_named_with_arguments_times_and_marks(page, expect):
    async with viewing() as proxy:
        await page.goto(at(proxy, a="notes/parallel-tool-calls"))
        article = page.get_by_role("article")
        calls = article.locator(".call")
        await expect(calls).to_have_count(2)
        await expect(calls.nth(0)).to_contain_text("run_command1.10 scommandlscall_wteop8bt")
        await expect(calls.nth(1)).to_contain_text("run_command1.99 scommandls -lcall_rk2xye1l")
        marks = article.get_by_role("list", name="Worth a look")
        await expect(marks).to_contain_text("2 parallel calls in one answer")
        await expect(marks).to_contain_text('command="ls -l") refines call 1')
        await expect(page).to_have_title("parallel-tool-calls · wiretape")


async def test_a_call_leads_to_its_chunk_and_a_chunk_to_its_call(page, expect):
    async with viewing() as proxy:
        await page.goto(at(proxy, a="ollama-0.24.0/chat-tools"))
        second = page.locator(".call-head").nth(1)
        await second.click()
        await expect(second).to_have_attribute("aria-pressed", "true")
        inspector = page.get_by_role("region", name="Chunk of ollama-0.24.0/chat-tools")
        await expect(inspector).to_contain_text("Chunk 2 of 3 in #1")
        await expect(inspector).to_contain_text('\\"command\\":\\"ls -l\\"')
        await inspector.get_by_role("button", name="Chunk before").click()
        await expect(second).to_have_attribute("aria-pressed", "false")
        await expect(page.locator(".call-head").nth(0)).to_have_attribute("aria-pressed", "true")
        await page.reload()
        await expect(inspector).to_contain_text("Chunk 1 of 3 in #1")


async def test_a_word_leads_to_the_chunks_that_brought_it(page, expect):
    async with viewing() as proxy:
        await page.goto(at(proxy, a="ollama-0.24.0/chat-tools"))
        text = page.locator(".said-text", has_text="They printed README.md")
        await text.scroll_into_view_if_needed()
        box = await text.evaluate(
            """(element) => {
              const range = document.createRange();
              const start = element.textContent.indexOf("README");
              range.setStart(element.firstChild, start + 2);
              range.setEnd(element.firstChild, start + 3);
              const { x, y, height } = range.getBoundingClientRect();
              return { x: x + 1, y: y + height / 2 };
            }"""
        )
        await page.mouse.click(box["x"], box["y"])
        await expect(page.locator(".inspector")).to_contain_text("first of 2 picked chunks")
        assert await highlighted(page) == [" README"]


async def test_the_raw_bytes_of_a_chunk_are_shown_as_they_are(page, expect):
    async with viewing() as proxy:
        await page.goto(at(proxy, a="notes/plain-answer", i=1, c=0))
        shown = page.locator(".bytes")
        await expect(shown).to_contain_text("data: {")
        await expect(shown).to_contain_text("}\\n")
        await page.get_by_role("button", name="Hex").click()
        await expect(shown).to_contain_text("000000  64 61 74 61 3a 20 7b")
        await page.get_by_role("button", name="Laid out").click()
        await expect(shown).to_contain_text('"choices": [')


async def test_two_cassettes_stand_side_by_side(page, expect):
    async with viewing() as proxy:
        await page.goto(at(proxy, a="ollama-0.24.0/chat-tools"))
        await page.get_by_role("searchbox").fill("llamacpp/chat-tools")
        await page.locator(".item").hover()
        await page.get_by_role("button", name="Compare with llamacpp/chat-tools").click()
        panes = page.locator(".pane")
        await expect(panes).to_have_count(2)
        boxes = [await panes.nth(each).bounding_box() for each in (0, 1)]
        assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] + 1
        assert boxes[0]["y"] == boxes[1]["y"]
        for each in (0, 1):
            await expect(panes.nth(each).locator(".call dd")).to_have_text(["ls", "ls -l"])
        await panes.nth(0).get_by_role("button", name="Close").first.click()
        await expect(panes).to_have_count(1)
        await expect(page.get_by_role("heading", level=2).last).to_have_text("llamacpp/chat-tools")
        await page.go_back()
        await expect(panes).to_have_count(2)


async def test_what_two_cassettes_did_differently_is_said_and_leads_there(page, expect):
    async with viewing() as proxy:
        await page.goto(at(proxy, a="notes/parallel-tool-calls", b="notes/single-tool-call"))
        differences = page.locator(".differences")
        await expect(differences.locator("summary")).to_contain_text("1 of 1 interaction changed")
        await expect(differences.locator("dl")).to_contain_text("calls[1]")
        await differences.get_by_role("button", name="#1").click()
        await expect(page.locator("article.picked")).to_have_count(2)
        await page.goto(at(proxy, a="ollama-0.24.0/chat-tools", b="llamacpp/chat-tools"))
        await expect(differences.locator("summary")).to_contain_text("none changed")
        panes = page.locator(".pane")
        await panes.nth(1).get_by_role("button", name="Interaction 2: pick").click()
        await expect(panes.nth(0).locator("article.picked h3")).to_contain_text("#2")


async def test_a_recording_is_followed_as_it_comes(page, expect, tmp_path: Path):
    gates = [Gate(), Gate()]
    script = [
        SSE_HEAD + chunk(event({"content": "Once"})),
        gates[0],
        chunk(event({"content": " upon"})),
        gates[1],
        chunk(event({}, "stop")) + LAST,
    ]
    async with (
        scripted_upstream(script) as upstream,
        viewing(tmp_path, Mode.RECORD, upstream=upstream.url, cassette="tale") as proxy,
    ):
        await page.goto(at(proxy))
        await expect(page.locator("main")).to_contain_text(f"OPENAI_BASE_URL={proxy.url}/v1")
        client = await connect(proxy.url)
        body = b'{"model": "m", "stream": true, "messages": []}'
        await client.send("POST", "/v1/chat/completions", body)
        await client.head()
        said = page.locator(".said-text")
        await expect(said).to_have_text("Once")
        await expect(page.locator(".badge")).to_have_text("recording")
        await expect(page.locator("#list")).to_contain_text("recording · 1 interaction")
        gates[0].set()
        await expect(said).to_have_text("Once upon")
        gates[1].set()
        await expect(page.get_by_role("article")).to_contain_text("complete")
        assert (await client.rest()).ending == "complete"
        client.close()
        await ask_json(proxy.url, "/_wiretape/sessions/tale/close", {})
        await expect(page.locator(".badge")).to_have_count(0)
        await expect(page).to_have_url(at(proxy, a="tale"))


HOSTILE = (
    "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
    "<a href='javascript:window.hacked=1'>x</a>\u202e\x1b]0;x\x07</p></article>{{7*7}}${7*7}"
)


async def test_nothing_of_a_hostile_cassette_is_markup(page, expect, tmp_path: Path):
    call = {
        "index": 0,
        "id": HOSTILE,
        "function": {"name": HOSTILE, "arguments": json.dumps({HOSTILE: HOSTILE})},
    }
    entries = [
        *asked(1, 0, HOSTILE),
        Chunk(1, 20, event({"reasoning_content": HOSTILE})),
        Chunk(1, 30, event({"content": HOSTILE})),
        Chunk(1, 40, event({"tool_calls": [call]})),
        Chunk(1, 50, f"data: {json.dumps({'error': {'message': HOSTILE}})}\n\n".encode()),
        Chunk(1, 60, event({}, HOSTILE)),
        Chunk(1, 70, f"data: {HOSTILE}\n\n".encode()),
        End(1, 80, Outcome.COMPLETE),
    ]
    head = Response(
        1, 10, 200, (*SSE, ("X-Hostile", HOSTILE.replace("\x1b", "").replace("\x07", "")))
    )
    entries[1] = head
    put(tmp_path, "<b onclick=alert(1)>&amp;", entries)
    async with viewing(tmp_path) as proxy:
        await page.goto(at(proxy))
        article = page.get_by_role("article")
        await expect(article.locator(".part-content")).to_have_text(HOSTILE, use_inner_text=False)
        await expect(article.locator(".function")).to_have_text(HOSTILE)
        await article.locator("summary").click()
        await expect(article.locator(".headers").last).to_contain_text("X-Hostile")
        await page.locator(".call-head").click()
        await expect(page.locator(".bytes")).to_contain_text("onerror=window.hacked=1")
        for form in ("Laid out", "Hex"):
            await page.get_by_role("button", name=form).click()
        await page.locator(".lanes").focus()
        for _ in range(7):
            await page.keyboard.press("ArrowRight")
        found = await page.evaluate(
            """() => ({
              hacked: window.hacked,
              markup: document.querySelectorAll(
                "main img, main script, nav b, main a[href^=javascript]").length,
              scripts: document.scripts.length,
              title: document.title,
            })"""
        )
        assert found["markup"] == 0
        assert found.get("hacked") is None
        assert found["scripts"] == 1
        assert found["title"] == "<b onclick=alert(1)>&amp; · wiretape"


async def test_the_policy_stops_what_would_be_markup_all_the_same(browser, expect):
    async with viewing() as proxy:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(at(proxy, a="notes/plain-answer"))
        await expect(page.get_by_role("article")).to_be_visible()
        stopped = await page.evaluate(
            """() => new Promise((resolve) => {
              const stopped = [];
              document.addEventListener("securitypolicyviolation", (event) => {
                stopped.push(event.effectiveDirective);
                if (stopped.length === 3) resolve(stopped.sort());
              });
              const script = document.createElement("script");
              script.append("window.hacked = 1");
              const image = document.createElement("img");
              image.src = "http://127.0.0.1:9/leak";
              document.body.append(script, image);
              fetch("http://127.0.0.1:9/leak").catch(() => null);
            })"""
        )
        assert stopped == ["connect-src", "img-src", "script-src-elem"]
        assert await page.evaluate("() => window.hacked") is None
        await context.close()


async def test_all_can_be_done_by_keys_and_is_said_aloud(page, expect):
    async with viewing() as proxy:
        await page.goto(at(proxy, a="ollama-0.24.0/chat-tools"))
        timeline = page.get_by_role("application")
        await expect(timeline).to_have_attribute(
            "aria-label",
            "Timeline of ollama-0.24.0/chat-tools: 2 interactions, 22 chunks in 3.83 s."
            " Arrow keys go from chunk to chunk.",
        )
        announcer = page.locator("#announcer")
        await timeline.focus()
        await page.keyboard.press("ArrowDown")
        await expect(announcer).to_have_text(
            "Interaction 1, POST /v1/chat/completions, smollm2, 200, complete, 1.05 s, 3 chunks"
        )
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowRight")
        await expect(announcer).to_contain_text(
            "Interaction 1, chunk 2 of 3, tool call: run_command"
        )
        await page.keyboard.press("b")
        assert await page.evaluate("() => document.activeElement.className") == "inspector"
        await page.keyboard.press("Escape")
        await expect(page.locator(".inspector")).to_be_hidden()
        await page.keyboard.press("/")
        await page.keyboard.type("plain")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page).to_have_title("plain-answer · wiretape")
        await page.get_by_role("application").focus()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_nothing_stands_in_the_way_of_a_screen_reader(
    browser, expect, scheme: str, width: int
):
    axe = pytest.importorskip("axe_playwright_python.async_playwright").Axe()
    async with viewing() as proxy:
        context = await browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        page = await context.new_page()
        seen = [{"a": "ollama-0.24.0/chat-tools", "i": 1, "c": 1}]
        seen += [{"a": "ollama-0.24.0/chat-tools", "b": "llamacpp/chat-cancelled"}]
        for query in seen:
            await page.goto(at(proxy, **query))
            await expect(page.get_by_role("article").last).to_be_visible()
            result = await axe.run(page)
            assert result.response["violations"] == []
        await context.close()


async def test_a_token_in_the_path_goes_along(page, expect):
    async with viewing(token="sesame") as proxy:  # noqa: S106  no secret
        await page.goto(f"{proxy.url}/~sesame/_wiretape")
        await page.get_by_role("searchbox").fill("plain")
        await page.get_by_role("link", name="plain-answer").click()
        await expect(page.get_by_role("article")).to_contain_text("finish")
        assert page.url.startswith(f"{proxy.url}/~sesame/_wiretape/?a=notes")


async def test_light_and_dark_are_the_systems_choice(browser, expect):
    async with viewing() as proxy:
        shades = []
        for scheme in ("light", "dark"):
            context = await browser.new_context(color_scheme=scheme)
            page = await context.new_page()
            await page.goto(at(proxy, a="notes/plain-answer"))
            await expect(page.get_by_role("article")).to_be_visible()
            colour = (
                "() => getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
            )
            shades.append(sum(await page.evaluate(colour)))
            await context.close()
        assert shades[0] > 3 * shades[1]


@pytest.mark.parametrize("width", [320, 390])
async def test_it_fits_a_phone(browser, expect, width: int):
    async with viewing() as proxy:
        context = await browser.new_context(
            viewport={"width": width, "height": 700}, has_touch=True
        )
        page = await context.new_page()
        await page.goto(at(proxy, a="ollama-0.24.0/chat-tools"))
        await expect(page.get_by_role("article")).to_have_count(2)
        assert await page.evaluate("() => document.documentElement.scrollWidth") == width
        menu = page.get_by_role("button", name="Cassettes")
        await menu.tap()
        await page.get_by_role("link", name="parallel-tool-calls").tap()
        await expect(page).to_have_title("parallel-tool-calls · wiretape")
        await expect(page.locator("nav")).to_be_hidden()
        await page.locator(".call").nth(1).tap()
        await expect(page.locator(".inspector")).to_be_visible()
        await page.get_by_role("button", name="Chunk before").tap()
        await expect(page.locator(".call.on .function")).to_be_visible()
        seen = """([element]) => {
          const { x, y, width, height } = element.getBoundingClientRect();
          return element.contains(document.elementFromPoint(x + width / 2, y + height / 2));
        }"""
        assert await page.locator(".call.on").evaluate_all(seen)
        assert await page.evaluate("() => document.documentElement.scrollWidth") == width
        await context.close()


async def test_ten_thousand_chunks_cost_no_more_elements_than_ten(page, expect, tmp_path: Path):
    for count in (10, 10_000):
        chunks: list[Entry] = [
            Chunk(1, 100 + each * 20_000, event({"content": "word "})) for each in range(count)
        ]
        put(
            tmp_path,
            f"of-{count}",
            [*asked(1, 0, "go"), *chunks, End(1, count * 20_000 + 200, Outcome.COMPLETE)],
        )
    elements = []
    async with viewing(tmp_path) as proxy:
        for count in (10, 10_000):
            await page.goto(at(proxy, a=f"of-{count}"))
            await expect(page.locator(".meta")).to_contain_text(f"{count:,} chunks")
            await expect(page.get_by_role("article")).to_contain_text("word word")
            elements.append(await page.evaluate("() => document.querySelectorAll('*').length"))
        await page.get_by_role("application").focus()
        await page.keyboard.press("End")
        await expect(page.locator(".inspector")).to_contain_text("Chunk 10000 of 10000")
        assert await highlighted(page) == ["word "]
    assert elements[0] == elements[1]


async def test_a_corrupt_cassette_is_named_with_what_is_wrong(browser, expect, tmp_path: Path):
    (tmp_path / "bad.yaml").write_text("wiretape: 1\nnonsense: [\n")
    async with viewing(tmp_path) as proxy:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(at(proxy, a="bad"))
        await expect(page.get_by_role("alert")).to_contain_text("bad.yaml: line")
        await context.close()
