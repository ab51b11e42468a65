// The shelf at the side: cassettes by folder, and what the proxy's sessions are doing.

import { fetchReport } from "./api.js";
import { ago, button, bytes, counted, el } from "./dom.js";

export class List {
  constructor(element, { onopen, oncompare }) {
    this.element = element;
    this.onopen = onopen;
    this.oncompare = oncompare;
    this.filter = "";
    this.open = [];
    this.drawn = "";
  }

  update({ cassettes, sessions }) {
    this.cassettes = cassettes;
    this.sessions = sessions;
    this.draw();
  }

  /** Which cassettes are open, in which order. */
  mark(names) {
    this.open = names;
    this.draw();
  }

  search(text) {
    this.filter = text.toLowerCase();
    this.draw();
  }

  draw() {
    if (!this.cassettes) return;
    const key = JSON.stringify([this.cassettes, this.sessions, this.open, this.filter, Math.floor(Date.now() / 60000)]);
    if (key === this.drawn) return;
    this.drawn = key;
    const focused = document.activeElement?.dataset?.key;
    const found = this.cassettes.filter(({ name }) => name.toLowerCase().includes(this.filter));
    const parts = found.filter(({ state }) => state === "recording");
    const busy = this.sessions.filter((session) => session.replayed || session.misses);
    this.element.replaceChildren(
      ...(parts.length || busy.length ? [this.live(parts, busy)] : []),
      ...byFolder(found.filter(({ state }) => state !== "recording")).map(([folder, each]) => this.folder(folder, each)),
    );
    if (!found.length) {
      const none = this.filter ? "No cassette has this in its name." : "No cassette here yet. wiretape record makes one.";
      this.element.append(el("p", { class: "blank" }, none));
    }
    if (this.open[0] !== this.revealed) {
      this.revealed = this.open[0];
      this.element.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    }
    if (focused) this.element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  live(parts, busy) {
    const recording = parts.map((part) => {
      const session = this.sessions.find(({ cassette }) => cassette === part.name);
      const count = session ? counted(session.recorded, "interaction") : bytes(part.size);
      return this.item(part, part.name.replace(/\.yaml\.part$/, ""), `recording · ${count}`, "recording");
    });
    const replaying = busy.map((session) => {
      const said = `${session.mode} · ${session.replayed} of ${session.interactions} used`;
      const misses = session.misses ? ` · ${counted(session.misses, "miss", "misses")}` : "";
      return el(
        "li",
        { class: session.misses ? "item missing" : "item" },
        button(
          [el("span", { class: "name" }, session.name), el("span", { class: "note" }, said + misses)],
          () => showReport(session.name),
          { class: "open", data: { key: `session ${session.name}` } },
        ),
      );
    });
    return el("section", {}, el("h2", {}, "Live"), el("ul", {}, recording, replaying));
  }

  folder(folder, cassettes) {
    const items = cassettes.map((each) => {
      const name = each.name.slice(folder.length ? folder.length + 1 : 0).replace(/\.yaml\.part$/, "");
      const note = each.state === "abandoned" ? "cut off by a crash: wiretape recover" : `${bytes(each.size)} · ${ago(each.modified)}`;
      return this.item(each, name, note, each.state);
    });
    return el("section", {}, el("h2", {}, folder || "Cassettes"), el("ul", {}, items));
  }

  item(cassette, shown, note, state) {
    const place = this.open.indexOf(cassette.name);
    const link = el(
      "a",
      {
        class: "open",
        href: `?a=${encodeURIComponent(cassette.name)}`,
        "aria-current": place >= 0 ? "page" : null,
        data: { key: cassette.name },
        on: {
          click: (event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            this.onopen(cassette.name);
          },
        },
      },
      el("span", { class: "name" }, shown),
      el("span", { class: "note" }, note),
    );
    const other =
      this.open.length > 0 &&
      place < 0 &&
      button("⇄", () => this.oncompare(cassette.name), {
        class: "quiet compare",
        "aria-label": `Compare with ${cassette.name}`,
        title: "Show beside the open one",
      });
    return el("li", { class: `item ${state}${place >= 0 ? " here" : ""}` }, link, other);
  }
}

function byFolder(cassettes) {
  const folders = new Map();
  for (const each of cassettes) {
    const folder = each.name.includes("/") ? each.name.slice(0, each.name.lastIndexOf("/")) : "";
    if (!folders.has(folder)) folders.set(folder, []);
    folders.get(folder).push(each);
  }
  return [...folders].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What came of a session, in a dialog. */
async function showReport(name) {
  const dialog = el("dialog", { class: "report", "aria-label": `Session ${name}` });
  const body = el("div", {});
  dialog.append(
    el("h2", {}, `Session ${name}`),
    body,
    el("p", { class: "end" }, button("Close", () => dialog.close(), { class: "strong" })),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  try {
    body.replaceChildren(...reported(await fetchReport(name)));
  } catch (error) {
    body.replaceChildren(el("p", { class: "broken" }, error.message));
  }
}

function reported(report) {
  const named = (each) => el("li", {}, `#${each.interaction} ${each.method} ${each.target} in ${each.cassette}`);
  const parts = [
    el(
      "p",
      {},
      `${report.mode}: ${counted(report.interactions, "recording")}, ${report.used.length} used, ` +
        `${report.unused.length} unused, ${counted(report.misses.length, "miss", "misses")}`,
    ),
  ];
  for (const miss of report.misses) parts.push(el("pre", { class: "raw-text" }, miss.text));
  if (report.unused.length) parts.push(el("h3", {}, "Unused"), el("ul", {}, report.unused.slice(0, 50).map(named)));
  for (const stall of report.stalls) {
    parts.push(el("p", {}, `Waited ${stall.waited_s.toFixed(1)} s for #${stall.missing.interaction}, which did not come.`));
  }
  return parts;
}
