// The timeline: lanes on one axis, to be looked at by pointer and keys. Knows the canvas and the
// events on it; what is picked is told to `onpick` and comes back by `show`.

import { counted, duration, el, moment } from "./dom.js";
import { chunkNear, drawLane, LABEL, palette, rowHeight, Ruler } from "./drawing.js";
import { hintOf, rowOf } from "./labels.js";
import { Pick } from "./model.js";
import { roundMoments } from "./timescale.js";

const REACH = 9;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Lanes {
  constructor(cassette, scale, { onpick, onhover }) {
    this.cassette = cassette;
    this.scale = scale;
    this.onpick = onpick;
    this.onhover = onhover;
    this.pick = null;
    this.hover = null;
    this.pointers = new Map();
    this.row = rowHeight(0, 1);
    this.axis = el("canvas", { class: "axis", "aria-hidden": "true" });
    this.canvas = el("canvas", { class: "tracks", "aria-hidden": "true" });
    this.rows = el("div", { class: "rows", "aria-hidden": "true" });
    this.scroller = el(
      "div",
      {
        class: "lanes",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "timeline",
        "aria-keyshortcuts": "ArrowLeft ArrowRight ArrowUp ArrowDown Home End Enter Plus Minus",
      },
      el("div", { class: "under" }, this.canvas),
      this.rows,
    );
    this.element = el("div", { class: "timeline" }, this.axis, this.scroller);
    this.listen();
  }

  listen() {
    const redraw = () => this.redraw();
    this.observer = new ResizeObserver(() => this.arrange());
    this.observer.observe(this.scroller);
    this.scale.addEventListener("change", redraw);
    this.repaint = () => {
      this.colours = null;
      this.redraw();
    };
    dark.addEventListener("change", this.repaint);
    const { scroller } = this;
    scroller.addEventListener("scroll", redraw, { passive: true });
    scroller.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    scroller.addEventListener("pointerdown", (event) => this.down(event));
    scroller.addEventListener("pointermove", (event) => this.move(event));
    scroller.addEventListener("pointerup", (event) => this.up(event));
    scroller.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    scroller.addEventListener("pointerleave", () => this.point(null));
    scroller.addEventListener("dblclick", (event) => this.zoomTo(this.laneAt(event)));
    this.redraw();
  }

  close() {
    this.observer.disconnect();
    dark.removeEventListener("change", this.repaint);
    cancelAnimationFrame(this.frame);
  }

  /** Lanes are new or have changed. */
  update(changed) {
    for (const lane of changed) {
      const known = this.rows.children[lane.place];
      const row = rowOf(lane);
      if (known) known.replaceWith(row);
      else this.rows.append(row);
    }
    while (this.rows.children.length > this.cassette.lanes.length) this.rows.lastChild.remove();
    const { cassette } = this;
    this.scroller.setAttribute(
      "aria-label",
      `Timeline of ${cassette.name}: ${counted(cassette.lanes.length, "interaction")}, ` +
        `${counted(cassette.chunks, "chunk")} in ${duration(cassette.last)}. Arrow keys go from chunk to chunk.`,
    );
    this.arrange();
    this.mark();
  }

  /** Rows as high as there is room for. */
  arrange() {
    const room = this.element.parentElement?.clientHeight ?? 0;
    this.row = rowHeight(room * 0.42, this.cassette.lanes.length);
    this.rows.style.setProperty("--row", `${this.row}px`);
    this.redraw();
  }

  /** Show what is picked, and where it is. */
  show(pick, reveal) {
    this.pick = pick;
    this.mark();
    const lane = pick && this.cassette.byNumber.get(pick.number);
    if (lane && reveal) {
      const top = lane.place * this.row;
      const { scrollTop, clientHeight } = this.scroller;
      if (top < scrollTop) this.scroller.scrollTop = top;
      else if (top + this.row > scrollTop + clientHeight) this.scroller.scrollTop = top + this.row - clientHeight;
      if (pick.primary !== null) this.scale.reveal(lane.times[pick.primary], lane.times[pick.primary]);
    }
    this.redraw();
  }

  mark() {
    this.rows.querySelector(".picked")?.classList.remove("picked");
    const lane = this.pick && this.cassette.byNumber.get(this.pick.number);
    if (lane) this.rows.children[lane.place]?.classList.add("picked");
  }

  /** Point at a chunk from elsewhere; null lets go. */
  pointAt(hover) {
    this.hover = hover;
    this.redraw();
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const width = this.scroller.clientWidth;
    const height = this.scroller.clientHeight;
    if (!width || !height) return;
    this.colours ??= palette();
    const { cassette, colours, pick } = this;
    const moves = cassette.live && !still.matches;
    const look = { colours, pick, live: cassette.live, present: cassette.present, moves };
    const ruler = new Ruler(this.scale, width);
    const context = fitted(this.canvas, width, height);
    const scrolled = this.scroller.scrollTop;
    const firstRow = Math.floor(scrolled / this.row);
    const lastRow = Math.min(cassette.lanes.length - 1, Math.floor((scrolled + height) / this.row));
    for (let row = firstRow; row <= lastRow; row += 1) {
      drawLane(context, cassette.lanes[row], row * this.row - scrolled, this.row, ruler, look);
    }
    this.drawGrid(context, ruler, height, colours);
    if (this.hover) this.drawHover(context, ruler, height, scrolled);
    this.drawAxis(ruler, colours);
    if (moves && !document.hidden) {
      this.scale.extend(this, cassette.present);
      this.redraw();
    }
  }

  drawGrid(context, ruler, height, colours) {
    this.marks = roundMoments(ruler.from, ruler.to, ruler.width / 110);
    context.fillStyle = colours.line;
    context.globalCompositeOperation = "destination-over";
    for (const at of this.marks.moments) context.fillRect(Math.round(ruler.x(at)), 0, 1, height);
    context.globalCompositeOperation = "source-over";
  }

  drawHover(context, ruler, height, scrolled) {
    const lane = this.cassette.byNumber.get(this.hover.number);
    if (!lane) return;
    const x = ruler.x(this.hover.chunk === null ? this.hover.at : lane.times[this.hover.chunk]);
    context.fillStyle = this.colours.accent;
    context.globalAlpha = 0.5;
    context.fillRect(x - 0.5, 0, 1, height);
    context.globalAlpha = 1;
    if (this.hover.chunk !== null) {
      context.strokeStyle = this.colours.accent;
      context.lineWidth = 1.5;
      context.strokeRect(x - 4, lane.place * this.row - scrolled + LABEL - 2, 8, this.row - LABEL - 1);
    }
  }

  drawAxis(ruler, colours) {
    const context = fitted(this.axis, ruler.width, 26);
    context.font = colours.font;
    context.textBaseline = "middle";
    context.fillStyle = colours.muted;
    for (const at of this.marks.moments) {
      const x = Math.round(ruler.x(at));
      context.fillRect(x, 19, 1, 7);
      const text = moment(at, this.marks.step);
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(Math.max(2, x - half), ruler.width - half * 2 - 2), 10);
    }
    const { last, from, to, fitted: all } = this.scale;
    if (!all) {
      context.fillStyle = colours.accent;
      context.fillRect((from / last) * ruler.width, 24, Math.max(4, ((to - from) / last) * ruler.width), 2);
    }
  }

  laneAt(event) {
    const y = event.clientY - this.scroller.getBoundingClientRect().top + this.scroller.scrollTop;
    return this.cassette.lanes[Math.floor(y / this.row)] ?? null;
  }

  placeAt(event) {
    const x = event.clientX - this.scroller.getBoundingClientRect().left;
    const ruler = new Ruler(this.scale, this.scroller.clientWidth);
    const lane = this.laneAt(event);
    return { x, lane, at: ruler.at(x), chunk: lane && chunkNear(lane, ruler, x, REACH) };
  }

  wheel(event) {
    const { at } = this.placeAt(event);
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.scale.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.008), at);
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const pixels = event.deltaX || event.deltaY;
      this.scale.pan((pixels * this.scale.span) / this.scroller.clientWidth);
    }
  }

  down(event) {
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.dragged = this.pointers.size > 1;
    this.held = { x: event.clientX, from: this.scale.from };
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") this.point(event);
      return;
    }
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const width = this.scroller.clientWidth;
    if (others.length) {
      const spread = (place) => Math.max(12, Math.abs(place.x - others[0].x));
      const left = this.scroller.getBoundingClientRect().left;
      const middle = new Ruler(this.scale, width).at((event.clientX + others[0].x) / 2 - left);
      this.scale.zoom(spread(before) / spread({ x: event.clientX }), middle);
    } else if (this.dragged || Math.abs(event.clientX - this.held.x) > 5) {
      if (!this.dragged) this.scroller.setPointerCapture(event.pointerId);
      this.dragged = true;
      this.scale.pan(((before.x - event.clientX) * this.scale.span) / width);
    }
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (this.dragged || event.button > 0) return;
    const { lane, chunk } = this.placeAt(event);
    if (lane) this.onpick(new Pick(lane.number, chunk === null ? [] : [chunk]), "timeline");
    else this.onpick(null, "timeline");
  }

  point(event) {
    const hint = document.getElementById("hint");
    const { lane, chunk, at } = event ? this.placeAt(event) : {};
    const hover = lane ? { number: lane.number, chunk, at } : null;
    hint.hidden = !lane || chunk === null;
    if (!hint.hidden) {
      hint.replaceChildren(...hintOf(lane, chunk));
      const { width, height } = hint.getBoundingClientRect();
      hint.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
      hint.style.top = `${event.clientY + 22 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 20}px`;
    }
    if (hover?.chunk !== this.hover?.chunk || hover?.number !== this.hover?.number) {
      this.onhover(hover && hover.chunk !== null ? hover : null);
    }
    this.pointAt(hover);
  }

  zoomTo(lane) {
    if (!lane) return;
    const end = lane.at.end ?? this.cassette.present;
    const margin = Math.max(1000, (end - lane.at.request) * 0.04);
    this.scale.show(lane.at.request - margin, end + margin);
  }
}

function fitted(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
