// How lanes look: marks on a canvas. Knows geometry and colours; nothing of events or elements.

import { oneLine } from "./dom.js";
import { KINDS, outcomeOf } from "./kinds.js";

export const LABEL = 21;
const LOWEST_ROW = 54;
const HIGHEST_ROW = 92;
const LEFT = 10;
const RIGHT = 18;
const CHARACTER = 6.1;

/** The colours that the style sheet gives, for whichever scheme is in force. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    kinds: KINDS.map((kind) => colour(`kind-${kind.id}`)),
    line: colour("line"),
    wait: colour("wait"),
    band: colour("band"),
    ink: colour("ink"),
    muted: colour("muted"),
    accent: colour("accent"),
    picked: colour("picked"),
    row: colour("row-picked"),
    error: colour("kind-error"),
    cancel: colour("kind-cancel"),
    font: `10px ${colour("mono")}`,
  };
}

/** How high a row is where so many share so much room. */
export function rowHeight(room, count) {
  return Math.max(LOWEST_ROW, Math.min(HIGHEST_ROW, Math.floor(room / Math.max(1, count))));
}

/** From moments to places and back, for a canvas of this width. */
export class Ruler {
  constructor(scale, width) {
    this.from = scale.from;
    this.to = scale.to;
    this.perUs = Math.max(1, width - LEFT - RIGHT) / (scale.to - scale.from);
    this.width = width;
  }

  x(at) {
    return LEFT + (at - this.from) * this.perUs;
  }

  at(x) {
    return this.from + (x - LEFT) / this.perUs;
  }
}

/** The index of the first time that is not before `at`. */
export function firstFrom(times, at) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The chunk nearest to a place, if one is within `reach` pixels. */
export function chunkNear(lane, ruler, x, reach) {
  const after = firstFrom(lane.times, ruler.at(x));
  let best = null;
  for (const chunk of [after - 1, after]) {
    if (chunk < 0 || chunk >= lane.count) continue;
    const away = Math.abs(ruler.x(lane.times[chunk]) - x);
    if (away <= reach && (best === null || away < best.away)) best = { chunk, away };
  }
  return best && best.chunk;
}

/** Draw one lane in a row of this height whose top is at `top`. */
export function drawLane(context, lane, top, row, ruler, look) {
  const { colours, pick, present } = look;
  const place = { y: top + LABEL, high: row - LABEL - 5 };
  const { y, high } = place;
  const middle = y + high / 2;
  if (pick !== null && pick.number === lane.number) {
    context.fillStyle = colours.row;
    context.fillRect(0, top + 1, ruler.width, row - 1);
  }
  const began = ruler.x(lane.at.request);
  const ended = ruler.x(lane.at.end ?? (look.live ? present : lane.at.last));
  const answered = lane.at.head === null ? ended : ruler.x(lane.at.head);
  drawWait(context, began, answered, middle, colours);
  if (lane.at.head !== null) {
    context.fillStyle = colours.band;
    context.beginPath();
    context.roundRect(answered, y, Math.max(2, ended - answered), high, 3);
    context.fill();
  }
  const first = firstFrom(lane.times, ruler.at(-4));
  const beyond = firstFrom(lane.times, ruler.at(ruler.width + 4));
  const picking = pick !== null && pick.number === lane.number && pick.chunks.size > 0;
  const columns = columnsOf(lane, first, beyond, ruler, picking ? pick.chunks : null);
  drawTicks(context, columns, place, colours, pick !== null && pick.chunks.size > 0, ruler);
  if (beyond - first < ruler.width / 14) drawWords(context, lane, first, beyond, ruler, y, colours);
  drawEnding(context, lane, ended, place, look);
}

function drawWait(context, from, to, middle, colours) {
  context.strokeStyle = colours.wait;
  context.lineWidth = 1.5;
  context.setLineDash([2, 4]);
  context.beginPath();
  context.moveTo(from + 4, middle);
  context.lineTo(to, middle);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colours.muted;
  context.beginPath();
  context.moveTo(from, middle - 4);
  context.lineTo(from + 6, middle);
  context.lineTo(from, middle + 4);
  context.fill();
}

/** What falls on the same pixel is one column: 10,000 chunks are no more than the canvas is wide. */
function columnsOf(lane, first, beyond, ruler, picked) {
  const columns = [];
  let column = null;
  for (let chunk = first; chunk < beyond; chunk += 1) {
    const x = Math.round(ruler.x(lane.times[chunk]) * 2) / 2;
    if (column === null || column.x !== x) {
      column = { x, kinds: 0, picked: false };
      columns.push(column);
    }
    column.kinds |= lane.kinds[chunk];
    if (picked !== null && picked.has(chunk)) column.picked = true;
  }
  return columns;
}

function drawTicks(context, columns, { y, high }, colours, dimmed, ruler) {
  const width = columns.length > 1 && columns.length < ruler.width / 9 ? 3 : 2;
  context.fillStyle = colours.picked;
  let covered = -Infinity;
  for (const column of columns) {
    if (!column.picked) continue;
    const left = Math.max(covered, column.x - width - 1);
    covered = column.x + width + 1;
    context.fillRect(left, y - 2, covered - left, high + 4);
  }
  KINDS.forEach((kind, index) => {
    const height = high * kind.height;
    context.fillStyle = colours.kinds[index];
    for (const column of columns) {
      if (!(column.kinds & (1 << index))) continue;
      context.globalAlpha = dimmed && !column.picked ? 0.4 : 1;
      context.fillRect(column.x - width / 2, y + high - height, width, height);
      if (kind.id === "finish" || kind.id === "error") {
        context.fillRect(column.x - width / 2, y, width + 4, 4);
      }
    }
  });
  context.globalAlpha = 1;
}

/** The words that chunks brought, where there is room beside their ticks. */
function drawWords(context, lane, first, beyond, ruler, y, colours) {
  context.font = colours.font;
  context.fillStyle = colours.muted;
  context.textBaseline = "middle";
  for (let chunk = first; chunk < beyond; chunk += 1) {
    const x = ruler.x(lane.times[chunk]) + 5;
    const next = chunk + 1 < lane.count ? ruler.x(lane.times[chunk + 1]) : ruler.width;
    const room = Math.floor((next - x - 4) / CHARACTER);
    if (room < 1) continue;
    const whole = oneLine(lane.said(chunk).trim(), 60);
    const text = whole.length > room ? `${whole.slice(0, room - 1)}…` : whole;
    if (text && (text === whole || room > 5)) context.fillText(text, x, y + 7);
  }
}

function drawEnding(context, lane, x, { y, high }, look) {
  const { colours } = look;
  const { ending } = outcomeOf(lane);
  const middle = y + high / 2;
  context.lineWidth = 2;
  if (ending === "whole") {
    context.strokeStyle = colours.muted;
    context.beginPath();
    context.moveTo(x + 4, y + high * 0.3);
    context.lineTo(x + 4, y + high);
    context.stroke();
  } else if (ending === "open") {
    context.fillStyle = look.live ? colours.error : colours.muted;
    context.globalAlpha = look.live && look.moves ? 0.65 + 0.35 * Math.cos(performance.now() / 300) : 1;
    context.beginPath();
    context.arc(x + 4, middle, 4, 0, 7);
    context.fill();
    context.globalAlpha = 1;
  } else {
    context.strokeStyle = ending === "cancel" ? colours.cancel : colours.error;
    context.lineWidth = 2.5;
    context.beginPath();
    context.moveTo(x + 4, middle - 5);
    context.lineTo(x + 13, middle + 5);
    context.moveTo(x + 13, middle - 5);
    context.lineTo(x + 4, middle + 5);
    context.stroke();
  }
}
