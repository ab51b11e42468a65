// A cassette as far as the page has it: lanes, chunks, spans. Knows what the server sends, and
// nothing of how it is drawn.

import { kindReader } from "./kinds.js";

const PLAIN = { content: "text", reasoning: "reasoning", refusal: "refusal" };

/** A piece of an answer: `first` to `chunk` are the chunks that it came in. */
function spanOf([chunk, part, text, choice, call, first], parts) {
  return { chunk, part: parts[part], text, choice, call, first };
}

/** One interaction. Times are microseconds since the session began. */
export class Lane {
  constructor(sent, parts, readKinds) {
    Object.assign(this, sent);
    this.times = sent.chunks.at;
    this.sizes = sent.chunks.sizes;
    this.kinds = sent.chunks.kinds.map(readKinds);
    this.spans = sent.spans.map((span) => spanOf(span, parts));
    this.byChunk = null;
  }

  get count() {
    return this.times.length;
  }

  /** The spans that a chunk brought, or brought a part of. */
  spansOf(chunk) {
    if (this.byChunk === null) {
      this.byChunk = new Map();
      for (const span of this.spans) {
        for (let index = span.first; index <= span.chunk; index += 1) {
          if (!this.byChunk.has(index)) this.byChunk.set(index, []);
          this.byChunk.get(index).push(span);
        }
      }
    }
    return this.byChunk.get(chunk) ?? [];
  }

  /** What a chunk said, in a few words. */
  said(chunk) {
    return this.spansOf(chunk)
      .map((span) => {
        if (span.part in PLAIN) return span.text;
        if (span.part === "tool_call") return span.text || this.callOf(span)?.name || "";
        if (span.part === "finish") return `[${span.text}]`;
        return span.part === "error" ? span.text : "";
      })
      .join("");
  }

  callOf(span) {
    return this.choices.find((choice) => choice.index === span.choice)?.calls[span.call];
  }

  /** The chunks of a span, or of several. */
  static chunksOf(spans) {
    const chunks = new Set();
    for (const span of spans) for (let index = span.first; index <= span.chunk; index += 1) chunks.add(index);
    return chunks;
  }

  get shortName() {
    const model = this.model ?? this.answered_by;
    return `${this.method} ${this.target}${model ? `, ${model}` : ""}`;
  }
}

/** A cassette that is shown, and maybe still being recorded. */
export class Cassette {
  constructor(name) {
    this.name = name;
    this.version = "";
    this.lanes = [];
    this.byNumber = new Map();
    this.state = "recorded";
    this.last = 1;
    this.now = null;
    this.heardAt = 0;
  }

  get live() {
    return this.state === "recording";
  }

  /** Where the session stands now, in its own time; it goes on between two replies. */
  get present() {
    return this.now === null ? this.last : Math.max(this.last, this.now + (performance.now() - this.heardAt) * 1000);
  }

  get chunks() {
    return this.lanes.reduce((sum, lane) => sum + lane.count, 0);
  }

  /** Take a reply; returns the lanes that are new or have changed. */
  take(reply) {
    if (reply.whole) {
      this.lanes = [];
      this.byNumber.clear();
      this.last = 1;
    }
    const readKinds = kindReader(reply.parts);
    const { name, version, state, recorded, upstream, warnings, now } = reply;
    Object.assign(this, { name, version, state, recorded, upstream, warnings, now, heardAt: performance.now() });
    const changed = reply.lanes.map((sent) => new Lane(sent, reply.parts, readKinds));
    for (const lane of changed) {
      const known = this.byNumber.get(lane.number);
      lane.place = known ? known.place : this.lanes.length;
      this.lanes[lane.place] = lane;
      this.byNumber.set(lane.number, lane);
      this.last = Math.max(this.last, lane.at.last);
    }
    return changed;
  }
}

/** What is picked: some chunks of one interaction, and the one of them that is looked at. */
export class Pick {
  constructor(number, chunks, primary = null) {
    this.number = number;
    this.chunks = chunks instanceof Set ? chunks : new Set(chunks);
    this.primary = primary ?? (this.chunks.size ? Math.min(...this.chunks) : null);
  }

  has(number, chunk) {
    return this.number === number && this.chunks.has(chunk);
  }
}
