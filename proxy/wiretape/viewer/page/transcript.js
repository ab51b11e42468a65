// The transcript: the interactions one after the other, each piece leading to its chunks and back.

import { Article } from "./article.js";
import { caretAt, markings } from "./blocks.js";
import { el } from "./dom.js";
import { Pick } from "./model.js";

let owners = 0;

export class Transcript {
  constructor(cassette, { onpick, onhover }) {
    this.cassette = cassette;
    this.onpick = onpick;
    this.onhover = onhover;
    this.owner = `t${(owners += 1)}`;
    this.articles = new Map();
    this.blocks = new Map();
    this.element = el("div", { class: "transcript", tabindex: 0, role: "region" });
    this.element.addEventListener("click", (event) => this.click(event));
    this.element.addEventListener("mousemove", (event) => this.hovered(event));
    this.element.addEventListener("mouseleave", () => this.onhover(null));
  }

  close() {
    markings.set("picked", this.owner, []);
    markings.set("pointed", this.owner, []);
  }

  update(changed) {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const atEnd = scrollTop + clientHeight > scrollHeight - 40;
    for (const lane of changed) {
      const known = this.articles.get(lane.number);
      const article = new Article(lane, this);
      if (known) known.replaceBy(article);
      else this.element.append(article.element);
      this.articles.set(lane.number, article);
    }
    for (const [number, article] of this.articles) {
      if (this.cassette.byNumber.has(number)) continue;
      article.element.remove();
      this.articles.delete(number);
    }
    if (this.cassette.live && atEnd) this.element.scrollTop = this.element.scrollHeight;
  }

  show(pick, reveal) {
    for (const article of this.articles.values()) article.picked(pick);
    const article = pick && this.articles.get(pick.number);
    const ranges = article ? article.ranges(pick.chunks) : [];
    markings.set("picked", this.owner, ranges);
    if (article && reveal) article.reveal(ranges, this.element);
  }

  pointAt(hover) {
    const article = hover && this.articles.get(hover.number);
    markings.set("pointed", this.owner, article ? article.ranges(new Set([hover.chunk])) : []);
  }

  blockAt(event) {
    const article = event.target.closest?.("article");
    const caret = article && caretAt(event.clientX, event.clientY);
    const block = caret && this.articles.get(Number(article.dataset.number))?.byNode.get(caret.node);
    return block ? { block, offset: caret.offset } : null;
  }

  click(event) {
    if (event.target.closest("button, summary, details, a")) return;
    const selection = getSelection();
    const chosen = selection.isCollapsed ? null : this.chosen(selection);
    if (chosen) {
      this.onpick(chosen, "transcript");
      return;
    }
    const call = event.target.closest("[data-call]");
    if (call) {
      call.querySelector("button").click();
      return;
    }
    const found = this.blockAt(event);
    if (found) this.onpick(new Pick(found.block.number, found.block.chunksOfWord(found.offset)), "transcript");
  }

  /** What is selected as text, as chunks of the first interaction that it touches. */
  chosen(selection) {
    const range = selection.getRangeAt(0);
    for (const article of this.articles.values()) {
      const chunks = new Set();
      for (const block of article.blocks) {
        if (!range.intersectsNode(block.node)) continue;
        const start = range.startContainer === block.node ? range.startOffset : 0;
        const end = range.endContainer === block.node ? range.endOffset : block.node.length;
        for (const chunk of block.chunksBetween(start, end)) chunks.add(chunk);
      }
      if (chunks.size) return new Pick(article.lane.number, chunks);
    }
    return null;
  }

  hovered(event) {
    const found = this.blockAt(event);
    const span = found?.block.spanAt(found.offset);
    this.onhover(span ? { number: found.block.number, chunk: span.chunk } : null);
  }
}
