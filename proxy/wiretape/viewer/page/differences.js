// What two cassettes that stand side by side have done differently. Tells `onpair` which
// interactions to look at, and which belongs to which.

import { fetchDiff } from "./api.js";
import { button, counted, el } from "./dom.js";

const LEAD = 24;
const LONGEST = 160;

export class Differences {
  constructor(names, { onpair }) {
    this.names = names;
    this.onpair = onpair;
    this.pairs = [];
    this.summary = el("summary", {}, "Comparing…");
    this.list = el("ul", { class: "pairs" });
    this.element = el("details", { class: "differences" }, this.summary, this.list);
  }

  async load() {
    try {
      this.show(await fetchDiff(...this.names));
    } catch (error) {
      this.summary.replaceChildren(error.message);
    }
  }

  show({ pairs }) {
    this.pairs = pairs;
    const changed = pairs.filter((pair) => pair.changed);
    const verdict = changed.length
      ? `${changed.length} of ${counted(pairs.length, "interaction")} changed in behaviour`
      : `${counted(pairs.length, "interaction")}, none changed in behaviour`;
    this.summary.replaceChildren(
      el("span", { class: changed.length ? "verdict other" : "verdict same" }, changed.length ? "≠" : "="),
      ` ${verdict}`,
    );
    this.list.replaceChildren(...pairs.map((pair) => this.row(pair)));
    this.element.open = changed.length > 0;
  }

  row(pair) {
    const { a, b } = pair;
    const names = a === null ? `only right: #${b}` : b === null ? `only left: #${a}` : a === b ? `#${a}` : `#${a} ↔ #${b}`;
    return el(
      "li",
      { class: pair.changed ? "pair other" : "pair same" },
      button([el("b", {}, names), ` ${pair.request}`, pair.changed ? "" : " same"], () => this.onpair(a, b), { class: "pair-name" }),
      pair.changes.length > 0 && el("dl", {}, pair.changes.flatMap(change)),
    );
  }

  /** The interaction on the other side that belongs to this one; null if there is none. */
  partner(side, number) {
    const pair = this.pairs.find((each) => each["ab"[side]] === number);
    return pair ? pair["ab"[1 - side]] : null;
  }
}

function change({ what, a, b }) {
  const [before, after] = around(plain(a), plain(b));
  return [el("dt", {}, what), el("dd", {}, el("del", {}, before), el("ins", {}, after))];
}

function plain(value) {
  if (value === null) return "(none)";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Two texts cut around their first difference. */
function around(before, after) {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same += 1;
  const start = Math.max(before.length, after.length) > LONGEST ? Math.max(0, same - LEAD) : 0;
  return [before, after].map((text) => {
    const end = start + LONGEST;
    return (start ? "…" : "") + text.slice(start, end) + (end < text.length ? "…" : "");
  });
}
