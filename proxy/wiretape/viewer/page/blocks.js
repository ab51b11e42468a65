// Texts of an answer that know which chunks brought which of their letters.

import { el } from "./dom.js";
import { Lane } from "./model.js";

const words = "Segmenter" in Intl ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;

/** A run of text of one kind: its spans one after the other, in one text node. */
export class Block {
  constructor(lane, spans) {
    this.number = lane.number;
    this.spans = spans;
    this.starts = [];
    let text = "";
    for (const span of spans) {
      this.starts.push(text.length);
      text += span.text;
    }
    this.node = document.createTextNode(text);
    const part = spans[0].part;
    this.element = el("p", { class: `said-text part-${part}`, dir: "auto" }, this.node);
  }

  /** The span that has the letter at this offset. */
  spanAt(offset) {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= offset) low = middle + 1;
      else high = middle;
    }
    return this.spans[Math.max(0, low - 1)];
  }

  /** The chunks that brought the letters from `start` to before `end`. */
  chunksBetween(start, end) {
    const spans = this.spans.filter((span, index) => {
      const stop = this.starts[index] + span.text.length;
      return stop > start && this.starts[index] < end;
    });
    return Lane.chunksOf(spans);
  }

  /** The chunks of the word at this offset. */
  chunksOfWord(offset) {
    const text = this.node.data;
    const word = words?.segment(text).containing(Math.min(offset, text.length - 1));
    if (word) return this.chunksBetween(word.index, word.index + word.segment.length);
    const start = text.slice(0, offset).search(/\S*$/);
    const length = text.slice(offset).search(/\s|$/);
    return this.chunksBetween(start, Math.max(start + 1, offset + length));
  }

  /** Ranges over the letters that these chunks brought. */
  ranges(chunks) {
    const ranges = [];
    this.spans.forEach((span, index) => {
      let brought = false;
      for (let chunk = span.first; chunk <= span.chunk && !brought; chunk += 1) brought = chunks.has(chunk);
      if (!brought || !span.text) return;
      const end = this.starts[index] + span.text.length;
      const last = ranges[ranges.length - 1];
      if (last && last.endOffset === this.starts[index]) {
        last.setEnd(this.node, end);
        return;
      }
      const range = document.createRange();
      range.setStart(this.node, this.starts[index]);
      range.setEnd(this.node, end);
      ranges.push(range);
    });
    return ranges;
  }
}

/** Where in the text a point is: its node and offset. */
export function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const caret = document.caretPositionFromPoint(x, y);
    return caret && { node: caret.offsetNode, offset: caret.offset };
  }
  const range = document.caretRangeFromPoint?.(x, y);
  return range && { node: range.startContainer, offset: range.startOffset };
}

/** Ranges of text that are marked, by name; each owner's own. A style sheet says how they look. */
class Markings {
  constructor() {
    this.owners = new Map();
  }

  set(name, owner, ranges) {
    const key = `${name} ${owner}`;
    if (!ranges.length && !this.owners.has(key)) return;
    if (ranges.length) this.owners.set(key, ranges);
    else this.owners.delete(key);
    if (typeof Highlight === "undefined") return;
    const all = [...this.owners].filter(([each]) => each.startsWith(`${name} `)).flatMap(([, each]) => each);
    if (all.length) CSS.highlights.set(name, new Highlight(...all));
    else CSS.highlights.delete(name);
  }
}

export const markings = new Markings();
