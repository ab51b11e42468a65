// One interaction of the transcript: what was asked, said and called, and how it ended.

import { fetchDetails } from "./api.js";
import { Block } from "./blocks.js";
import { button, bytes, counted, duration, el } from "./dom.js";
import { outcomeOf } from "./kinds.js";
import { Lane, Pick } from "./model.js";

const TEXTS = new Set(["content", "reasoning", "refusal"]);
const MOST_UNKNOWN = 5;
const SERIOUS = new Set(["error", "broken", "cut_off", "invalid_arguments"]);

/** One interaction of the transcript. */
export class Article {
  constructor(lane, transcript) {
    this.lane = lane;
    this.transcript = transcript;
    this.blocks = [];
    this.byNode = new Map();
    this.calls = [];
    this.pickable = [];
    this.details = this.detailsOf();
    this.element = el(
      "article",
      { data: { number: lane.number }, "aria-labelledby": `${transcript.owner}-${lane.number}` },
      this.heading(),
      this.marks(),
      ...this.asked(),
      ...this.answered(),
      this.times(),
      this.details,
    );
  }

  replaceBy(article) {
    article.details.replaceWith(this.details);
    article.details = this.details;
    this.element.replaceWith(article.element);
  }

  pick(chunks, event) {
    event?.stopPropagation();
    this.transcript.onpick(new Pick(this.lane.number, chunks), "transcript");
  }

  heading() {
    const { lane } = this;
    const outcome = outcomeOf(lane);
    const bad = lane.status === null || lane.status >= 400;
    return el(
      "header",
      {},
      el(
        "h3",
        { id: `${this.transcript.owner}-${lane.number}` },
        button(`#${lane.number}`, (event) => this.pick([], event), {
          class: "number",
          "aria-label": `Interaction ${lane.number}: pick`,
        }),
        " ",
        el("span", { class: "target" }, `${lane.method} ${lane.target}`),
      ),
      el(
        "p",
        { class: "facts" },
        el("span", { class: "model" }, lane.model ?? lane.answered_by ?? ""),
        el("span", { class: bad ? "pill bad" : "pill good" }, lane.status ?? "no response"),
        el("span", { class: `pill ending-${outcome.ending}` }, outcome.label),
        el("span", { class: "pill" }, duration((lane.at.end ?? lane.at.last) - lane.at.request)),
      ),
    );
  }

  marks() {
    const { lane } = this;
    if (!lane.marks.length) return null;
    const items = lane.marks.map((mark) => {
      const chip = button(mark.text, (event) => this.pick(mark.chunks, event), {
        class: SERIOUS.has(mark.kind) ? "mark serious" : "mark",
      });
      this.pickable.push({ element: chip, chunks: new Set(mark.chunks) });
      return el("li", {}, chip);
    });
    return el("ul", { class: "marks", "aria-label": "Worth a look" }, items);
  }

  asked() {
    const { lane } = this;
    const rows = [];
    if (lane.earlier) {
      const { interaction, messages } = lane.earlier;
      const link = button(`#${interaction}`, () => this.transcript.onpick(new Pick(interaction, []), "link"), {
        class: "link",
      });
      rows.push(row("", el("p", { class: "aside" }, `${counted(messages, "earlier message")}: see `, link)));
    }
    for (const { who, text } of lane.asked) {
      rows.push(row(who, el("p", { class: "asked-text", dir: "auto" }, text), `who-${known(who)}`));
    }
    if (lane.tools && !lane.earlier) rows.push(row("", el("p", { class: "aside" }, `${counted(lane.tools, "tool")} offered`)));
    return rows;
  }

  answered() {
    const { lane } = this;
    const rows = [];
    const several = lane.choices.length > 1;
    let run = [];
    let choice = null;
    let unknown = 0;
    const seen = new Set();
    const close = () => {
      if (run.length) rows.push(this.text(run));
      run = [];
    };
    for (const span of lane.spans) {
      if (TEXTS.has(span.part)) {
        if (run.length && (run[0].part !== span.part || run[0].choice !== span.choice)) close();
        if (several && choice !== span.choice) rows.push(row("", el("p", { class: "aside" }, `choice ${span.choice}`)));
        choice = span.choice;
        run.push(span);
        continue;
      }
      if (span.part === "usage") continue;
      const call = span.part === "tool_call" ? `${span.choice} ${span.call}` : null;
      if (call && seen.has(call)) continue;
      close();
      if (call) {
        seen.add(call);
        rows.push(this.call(span));
      } else if (span.part === "finish") {
        rows.push(this.finish(span));
      } else if (span.part === "error") {
        rows.push(this.problem("error", span.text, span));
      } else {
        unknown += 1;
        if (unknown <= MOST_UNKNOWN) rows.push(this.problem(lane.generating ? "not known" : "body", span.text, span));
      }
    }
    close();
    if (unknown > MOST_UNKNOWN) rows.push(row("", el("p", { class: "aside" }, `${unknown - MOST_UNKNOWN} more like these`)));
    if (lane.summary) rows.push(row("answer", el("p", {}, lane.summary)));
    const { ending } = outcomeOf(lane);
    lane.breaks.forEach((each, index) => {
      const how = index + 1 < lane.breaks.length || ending === "whole" ? "broken" : { cancel: "cancelled", open: "no end" }[ending] ?? "cut off";
      rows.push(row(how, el("p", { class: "broken" }, each.what), how === "cancelled" ? "who-cancel" : "who-error"));
    });
    return rows;
  }

  text(spans) {
    const block = new Block(this.lane, spans);
    this.blocks.push(block);
    this.byNode.set(block.node, block);
    const role = this.lane.choices.find((choice) => choice.index === spans[0].choice)?.role ?? "answer";
    const label = spans[0].part === "content" ? role : spans[0].part;
    return row(label, block.element, `who-${spans[0].part}`);
  }

  call(span) {
    const { lane } = this;
    const call = lane.callOf(span);
    const at = duration(call.start - lane.at.request);
    const until = call.end > call.start ? ` to ${duration(call.end - lane.at.request)}` : "";
    const chunks = new Set(call.chunks);
    const head = button(
      [el("span", { class: "function" }, call.name || "?"), el("span", { class: "when" }, `${at}${until}`)],
      (event) => this.pick(chunks, event),
      { class: "call-head", "aria-pressed": "false" },
    );
    const rows = (call.arguments ?? []).map(([name, text, form]) => [
      el("dt", {}, name),
      el("dd", { class: `form-${form}` }, el("bdi", {}, text)),
    ]);
    const body = call.arguments
      ? el("dl", {}, rows.flat())
      : el("pre", { class: "raw-arguments" }, call.raw || "(no arguments)");
    const card = el(
      "div",
      { class: call.valid ? "call" : "call invalid", data: { call: span.call } },
      head,
      body,
      call.id && el("p", { class: "call-id" }, call.id),
    );
    this.pickable.push({ element: card, pressed: head, chunks });
    return row(`call ${span.call + 1}`, card, "who-call");
  }

  finish(span) {
    const choice = this.lane.choices.find((each) => each.index === span.choice);
    const meaning = choice && choice.finish !== span.text ? ` (${choice.finish})` : "";
    const reason = button(span.text + meaning, (event) => this.pick(Lane.chunksOf([span]), event), { class: "finish" });
    this.pickable.push({ element: reason, chunks: Lane.chunksOf([span]) });
    const main = choice === this.lane.choices[0];
    return row("finish", el("p", {}, reason, main && this.lane.tokens ? ` ${this.lane.tokens}` : ""), "who-finish");
  }

  problem(label, text, span) {
    const shown = el("span", { class: "raw-text" }, text);
    const piece = button(shown, (event) => this.pick(Lane.chunksOf([span]), event), { class: "piece" });
    this.pickable.push({ element: piece, chunks: Lane.chunksOf([span]) });
    return row(label, piece, label === "error" ? "who-error" : "who-other");
  }

  times() {
    const { lane } = this;
    const { timing } = lane;
    const facts = [
      ["head", timing.head_s],
      ["first token", timing.first_token_s],
      ["longest gap", longestGap(lane.times)],
      ["end", timing.duration_s],
    ].filter(([, value]) => value !== null && value !== undefined);
    const items = facts.map(([name, value]) => [name, duration(value * 1e6)]);
    items.push(["chunks", lane.count.toLocaleString("en")]);
    const pairs = items.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
    return el("dl", { class: "times" }, pairs);
  }

  detailsOf() {
    const { lane, transcript } = this;
    const inside = el("div", { class: "details" });
    const details = el("details", {}, el("summary", {}, "Headers and request body"), inside);
    details.addEventListener("toggle", async () => {
      if (!details.open || inside.childElementCount) return;
      try {
        inside.replaceChildren(...detailed(await fetchDetails(transcript.cassette.name, lane.number)));
      } catch (error) {
        inside.replaceChildren(el("p", { class: "broken" }, error.message));
      }
    });
    return details;
  }

  picked(pick) {
    const here = pick !== null && pick.number === this.lane.number;
    this.element.classList.toggle("picked", here);
    for (const { element, pressed, chunks } of this.pickable) {
      const on = here && [...chunks].some((chunk) => pick.chunks.has(chunk));
      element.classList.toggle("on", on);
      pressed?.setAttribute("aria-pressed", String(on));
    }
  }

  ranges(chunks) {
    return this.blocks.flatMap((block) => block.ranges(chunks));
  }

  reveal(ranges, scroller) {
    const target = ranges[0] ?? this.pickable.find(({ element }) => element.matches(".on:not(.mark)"))?.element;
    const box = (target ?? this.element).getBoundingClientRect();
    const frame = scroller.getBoundingClientRect();
    const page = getComputedStyle(scroller).overflowY === "visible";
    const [top, bottom] = page ? uncovered(scroller) : [frame.top, frame.bottom];
    if (box.top >= top + 8 && (box.bottom <= bottom - 8 || !target) && box.top < bottom - 60) return;
    const by = box.top - top - (target ? (bottom - top) / 3 : 8);
    (page ? window : scroller).scrollBy({ top: by, behavior: "instant" });
  }
}

/** What the timeline above and the chunk below leave free on a phone, where the page scrolls. */
function uncovered(scroller) {
  const side = scroller.parentElement.querySelector(".side");
  const sticks = getComputedStyle(side).position === "sticky";
  const chunk = side.querySelector(".inspector");
  return [
    sticks ? (parseInt(getComputedStyle(side).top, 10) || 0) + side.offsetHeight : 0,
    chunk.hidden ? innerHeight : innerHeight - parseInt(getComputedStyle(chunk).maxHeight, 10),
  ];
}

function row(label, content, kind = "") {
  return el("div", { class: `turn ${kind}` }, el("span", { class: "who" }, label), content);
}

function known(who) {
  return ["system", "developer", "user", "assistant", "tool", "reasoning"].includes(who) ? who : "other";
}

function longestGap(times) {
  let longest = null;
  for (let index = 1; index < times.length; index += 1) longest = Math.max(longest ?? 0, times[index] - times[index - 1]);
  return longest === null ? null : longest / 1e6;
}

function detailed({ request, response }) {
  const table = (headers) =>
    el("dl", { class: "headers" }, headers.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]).flat());
  const parts = [el("h4", {}, "Request"), table(request.headers)];
  if (request.body) parts.push(el("pre", { class: "raw-text body", tabindex: 0 }, pretty(request.body)));
  else if (request.bytes) parts.push(el("p", { class: "aside" }, `${bytes(request.bytes)}, not kept; sha256 ${request.sha256}`));
  if (response) parts.push(el("h4", {}, `Response ${response.status}`), table(response.headers));
  return parts;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
