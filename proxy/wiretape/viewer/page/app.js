// The page as a whole: the address says what is open, the shelf what there is.

import { fetchList } from "./api.js";
import { Differences } from "./differences.js";
import { button, el } from "./dom.js";
import { List } from "./list.js";
import { Pick } from "./model.js";
import { Pane } from "./pane.js";
import { TimeScale } from "./timescale.js";

const LIST_MS = 2000;
const main = document.getElementById("main");
const status = document.getElementById("status");
const shelf = document.getElementById("shelf");
const menu = document.getElementById("menu");
const filter = document.getElementById("filter");
const help = document.getElementById("help");

let panes = [];
let differences = null;
let sameScale = true;
const list = new List(document.getElementById("list"), {
  onopen: (name) => go([name]),
  oncompare: (name) => go([panes[0].cassette.name, name]),
});

/** Open cassettes, as a step that the browser's Back undoes. */
function go(names) {
  history.pushState(null, "", address(names));
  closeShelf();
  show();
}

function address(names, pick = null) {
  const query = new URLSearchParams(names.map((name, index) => ["ab"[index], name]));
  if (pick) {
    query.set("i", pick.number);
    if (pick.chunks.size) query.set("c", [...pick.chunks].slice(0, 50).join("."));
  }
  return `?${query}`;
}

/** Bring the panes to what the address says. */
function show() {
  const query = new URLSearchParams(location.search);
  const names = ["a", "b"].map((key) => query.get(key)).filter((name) => name !== null);
  if (!names.length && list.cassettes?.length) {
    const first = list.cassettes.find(({ state }) => state === "recording") ?? list.cassettes[0];
    history.replaceState(null, "", address([first.name]));
    show();
    return;
  }
  const now = panes.map((pane) => pane.cassette.name);
  if (names.join("\n") !== now.join("\n")) {
    for (const pane of panes) pane.close();
    const shared = new TimeScale();
    panes = names.map((name) => new Pane(name, sameScale ? shared : new TimeScale(), { onpick, onclose, onrename }));
    main.replaceChildren(...panes.map((pane) => pane.element));
    main.classList.toggle("two", panes.length > 1);
    differences = null;
    if (panes.length > 1) beside(panes, names);
    panes.forEach((pane, index) => pane.load(index ? null : pickOf(query)));
  } else if (panes.length) {
    const pick = pickOf(query);
    panes[0].choose(pick.number === null ? null : pick, "link");
  }
  if (!names.length) main.replaceChildren(nothingYet());
  list.mark(names);
  entitle();
}

function nothingYet() {
  const proxy = new URL("..", new URL(".", location.href)).href.replace(/\/$/, "");
  const lines = [`OPENAI_BASE_URL=${proxy}/v1`, `OLLAMA_HOST=${proxy}`, `ANTHROPIC_BASE_URL=${proxy}`];
  return el(
    "div",
    { class: "blank" },
    el("h2", {}, "Nothing to see yet"),
    el("p", {}, "What a proxy that records hears appears here as it comes. Point a client at it with one of these:"),
    el("pre", {}, lines.join("\n")),
  );
}

function pickOf(query) {
  const chunks = (query.get("c") ?? "").split(".").filter(Boolean).map(Number);
  return new Pick(query.has("i") ? Number(query.get("i")) : null, chunks);
}

function beside(two, names) {
  differences = new Differences(names, { onpair: (...numbers) => numbers.forEach((number, side) => look(side, number)) });
  main.prepend(differences.element);
  differences.load();
  const toggle = button("Same scale", () => {
    sameScale = !sameScale;
    const names = panes.map((pane) => pane.cassette.name);
    for (const pane of panes) pane.close();
    panes = [];
    history.replaceState(null, "", address(names));
    show();
  }, { class: "tool", "aria-pressed": String(sameScale), title: "Show both on one time axis" });
  two[0].element.querySelector(".zooms").prepend(toggle);
  for (const pane of two) pane.closeButton.hidden = false;
}

function look(side, number) {
  panes[side].choose(number === null ? null : new Pick(number, []), "partner");
}

function onpick(pane, source) {
  if (differences && pane.pick && source !== "partner") {
    const side = panes.indexOf(pane);
    const partner = differences.partner(side, pane.pick.number);
    if (partner !== null && panes[1 - side].pick?.number !== partner) look(1 - side, partner);
  }
  if (pane !== panes[0]) return;
  const names = panes.map((each) => each.cassette.name);
  history.replaceState(null, "", address(names, pane.pick));
}

function onclose(pane) {
  go(panes.filter((each) => each !== pane).map((each) => each.cassette.name));
}

/** A recording has ended and has its final name now. */
function onrename() {
  const names = panes.map((each) => each.cassette.name);
  history.replaceState(null, "", address(names, panes[0].pick));
  list.mark(names);
  entitle();
}

function entitle() {
  const names = panes.map((pane) => pane.cassette.name.split("/").pop().replace(/\.yaml\.part$/, ""));
  document.title = names.length ? `${names.join(" | ")} · wiretape` : "wiretape";
}

let known = new Map();

async function watch() {
  for (;;) {
    if (!document.hidden) {
      try {
        const found = await fetchList();
        status.textContent = "";
        list.update(found);
        refresh(found.cassettes);
        if (!panes.length) show();
      } catch {
        status.textContent = "The proxy does not answer.";
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LIST_MS));
  }
}

/** Read again what is open and has been written anew. */
function refresh(cassettes) {
  const now = new Map(cassettes.map((each) => [each.name, `${each.state} ${each.size} ${each.modified}`]));
  for (const pane of panes) {
    const { name, live } = pane.cassette;
    if (!live && known.has(name) && now.has(name) && known.get(name) !== now.get(name)) pane.load();
  }
  known = now;
}

function closeShelf() {
  shelf.classList.remove("out");
  menu.setAttribute("aria-expanded", "false");
}

menu.addEventListener("click", () => {
  const out = shelf.classList.toggle("out");
  menu.setAttribute("aria-expanded", String(out));
  if (out) filter.focus();
});
filter.addEventListener("input", () => list.search(filter.value));
document.getElementById("help-button").addEventListener("click", () => help.showModal());
addEventListener("popstate", show);
addEventListener("keydown", (event) => {
  if (event.target.closest("input, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    if (!shelf.classList.contains("out") && getComputedStyle(menu).display !== "none") menu.click();
    filter.focus();
  } else if (event.key === "?") {
    help.showModal();
  }
});
shelf.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    closeShelf();
    (getComputedStyle(menu).display === "none" ? panes[0]?.lanes.scroller : menu)?.focus();
  }
});

show();
watch();
