// Lanes and chunks in words: above a lane, under the pointer, and said aloud.

import { announce, bytes, counted, duration, el, oneLine } from "./dom.js";
import { kindsIn, outcomeOf } from "./kinds.js";

/** The words above a lane. */
export function rowOf(lane) {
  const outcome = outcomeOf(lane);
  const lasted = duration((lane.at.end ?? lane.at.last) - lane.at.request);
  const bad = lane.status === null || lane.status >= 400 || outcome.ending === "broken";
  const ending = outcome.ending === "whole" ? "" : ` · ${outcome.ending === "open" ? "…" : outcome.label}`;
  return el(
    "div",
    { class: "row" },
    el(
      "span",
      { class: "row-label" },
      el("b", {}, `#${lane.number}`),
      el("span", { class: "row-target" }, lane.target),
      el("span", { class: "row-model" }, lane.model ?? lane.answered_by ?? ""),
      lane.marks.length > 0 && el("span", { class: "row-marks" }, `⚑ ${lane.marks.length}`),
      el("span", { class: bad ? "row-end bad" : "row-end" }, `${lane.status ?? "–"} · ${lasted}${ending}`),
    ),
  );
}

/** What a chunk is, for who points at it. */
export function hintOf(lane, chunk) {
  const since = chunk ? `+${duration(lane.times[chunk] - lane.times[chunk - 1])}` : "first chunk";
  const kinds = kindsIn(lane.kinds[chunk]);
  return [
    el(
      "p",
      {},
      el("b", {}, `#${lane.number}`),
      ` chunk ${chunk + 1} of ${lane.count} · `,
      kinds.map((kind, index) => [index ? ", " : "", el("span", { class: `kind kind-${kind.id}` }, kind.label)]).flat(),
    ),
    el("p", {}, `${duration(lane.times[chunk])} · ${since} · ${bytes(lane.sizes[chunk])}`),
    el("p", { class: "said" }, oneLine(lane.said(chunk), 120)),
  ];
}

/** Say what is picked, for those who do not see it. */
export function announcePick(cassette, pick) {
  const lane = pick && cassette.byNumber.get(pick.number);
  if (!lane) return;
  if (pick.primary === null) {
    const lasted = duration((lane.at.end ?? lane.at.last) - lane.at.request);
    announce(
      `Interaction ${lane.number}, ${lane.shortName}, ${lane.status ?? "no response"}, ` +
        `${outcomeOf(lane).label}, ${lasted}, ${counted(lane.count, "chunk")}`,
    );
    return;
  }
  const chunk = pick.primary;
  const kinds = kindsIn(lane.kinds[chunk]).map((kind) => kind.label);
  const more = pick.chunks.size > 1 ? `${counted(pick.chunks.size, "chunk")} picked. ` : "";
  announce(
    `${more}Interaction ${lane.number}, chunk ${chunk + 1} of ${lane.count}, ${kinds.join(" and ")}: ` +
      `${oneLine(lane.said(chunk), 60)} at ${duration(lane.times[chunk])}`,
  );
}
