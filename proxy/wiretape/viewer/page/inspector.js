// One chunk: when it came, what it said, and its bytes as they were.

import { chunkUrl, fetchChunk } from "./api.js";
import { button, bytes, counted, duration, el } from "./dom.js";
import { kindsIn } from "./kinds.js";
import { Pick } from "./model.js";

const LIMIT = 65536;
const HEX_LIMIT = 4096;
const FORMS = [
  ["text", "Text"],
  ["pretty", "Laid out"],
  ["hex", "Hex"],
];
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]/gu;

const SIGNS = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\ufffd": "\ufffd" };

export class Inspector {
  constructor(cassette, { onpick }) {
    this.cassette = cassette;
    this.onpick = onpick;
    this.form = "text";
    this.shown = "";
    this.content = el("div", { class: "content" });
    this.element = el("section", { class: "inspector", tabindex: -1, hidden: true });
  }

  async show(pick) {
    const lane = pick && this.cassette.byNumber.get(pick.number);
    const chunk = pick?.primary ?? null;
    this.element.hidden = !lane || chunk === null || chunk >= lane.count;
    if (this.element.hidden) {
      this.shown = "";
      return;
    }
    const key = `${this.cassette.version.split(".")[0]} ${lane.number} ${chunk} ${pick.chunks.size}`;
    if (key === this.shown) return;
    this.shown = key;
    this.element.replaceChildren(this.head(lane, chunk, pick), this.facts(lane, chunk), this.tabs(), this.content);
    try {
      const data = await fetchChunk(this.cassette.name, lane.number, chunk, LIMIT);
      if (this.shown !== key) return;
      this.data = data;
      this.size = lane.sizes[chunk];
      this.render();
    } catch (error) {
      this.content.replaceChildren(el("p", { class: "broken" }, error.message));
    }
  }

  head(lane, chunk, pick) {
    const go = (to) => this.onpick(new Pick(lane.number, [to]), "inspector");
    const several = pick.chunks.size > 1 ? ` · first of ${counted(pick.chunks.size, "picked chunk")}` : "";
    return el(
      "header",
      {},
      el("h3", {}, `Chunk ${chunk + 1}`, el("small", {}, ` of ${lane.count} in #${lane.number}${several}`)),
      button("‹", () => go(chunk - 1), { class: "quiet icon", "aria-label": "Chunk before", disabled: chunk === 0 }),
      button("›", () => go(chunk + 1), {
        class: "quiet icon",
        "aria-label": "Chunk after",
        disabled: chunk + 1 >= lane.count,
      }),
      el("a", { class: "quiet icon", href: chunkUrl(this.cassette.name, lane.number, chunk), download: `${lane.number}-${chunk + 1}.bin`, "aria-label": "Save its bytes", title: "Save its bytes" }, "⤓"),
      button("✕", () => this.onpick(null, "inspector"), { class: "quiet icon", "aria-label": "Close" }),
    );
  }

  facts(lane, chunk) {
    const gap = chunk ? `${duration(lane.times[chunk] - lane.times[chunk - 1])} after the one before` : `${duration(lane.times[0] - lane.at.request)} after the request`;
    const kinds = kindsIn(lane.kinds[chunk]).map((kind) => el("span", { class: `kind kind-${kind.id}` }, kind.label));
    return el(
      "p",
      { class: "facts" },
      ...kinds,
      el("span", {}, `at ${duration(lane.times[chunk])}`),
      el("span", {}, gap),
      el("span", {}, bytes(lane.sizes[chunk])),
    );
  }

  tabs() {
    this.buttons = FORMS.map(([form, label]) =>
      button(label, () => {
        this.form = form;
        this.render();
      }, { class: "tab", data: { form } }),
    );
    return el("div", { class: "tabs", role: "group", "aria-label": "Show its bytes as" }, this.buttons);
  }

  render() {
    for (const each of this.buttons) each.setAttribute("aria-pressed", String(each.dataset.form === this.form));
    const pre = el("pre", { class: `bytes ${this.form}`, tabindex: 0 });
    if (this.form === "hex") pre.textContent = hex(this.data.subarray(0, HEX_LIMIT));
    else pre.append(...(this.form === "pretty" ? visible(laidOut(decoded(this.data)), false) : visible(decoded(this.data), true)));
    const cut = this.size - (this.form === "hex" ? Math.min(HEX_LIMIT, this.data.length) : this.data.length);
    this.content.replaceChildren(pre, cut > 0 ? el("p", { class: "aside" }, `${bytes(cut)} more: save it to see all`) : "");
  }
}

function decoded(data) {
  return new TextDecoder("utf-8").decode(data);
}

function escaped(code) {
  const digits = code.toString(16);
  return code < 256 ? `\\x${digits.padStart(2, "0")}` : `\\u${digits.padStart(4, "0")}`;
}

/** Text whose control characters can be seen, line feeds only on request; these break the line. */
function visible(text, feeds) {
  const pieces = [];
  let from = 0;
  for (const { 0: character, index } of text.matchAll(CONTROL)) {
    if (index > from) pieces.push(text.slice(from, index));
    const code = character.codePointAt(0);
    if (feeds || character !== "\n") pieces.push(el("span", { class: "control" }, SIGNS[character] ?? escaped(code)));
    if (character === "\n") pieces.push("\n");
    from = index + character.length;
  }
  pieces.push(text.slice(from));
  return pieces;
}

/** The JSON of events, indented. */
function laidOut(text) {
  return text
    .split("\n")
    .map((line) => {
      const [, field, value] = /^((?:data:)?\s*)([[{].*)$/.exec(line) ?? [];
      if (value === undefined) return line;
      try {
        return `${field}${JSON.stringify(JSON.parse(value), null, 2)}`;
      } catch {
        return line;
      }
    })
    .join("\n");
}

function hex(data) {
  const lines = [];
  for (let start = 0; start < data.length; start += 16) {
    const row = [...data.subarray(start, start + 16)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0"));
    const halves = [digits.slice(0, 8).join(" ").padEnd(23), digits.slice(8).join(" ").padEnd(23)];
    const signs = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${start.toString(16).padStart(6, "0")}  ${halves.join("  ")}  ${signs}`);
  }
  return lines.join("\n");
}
