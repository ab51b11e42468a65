// One cassette on the page: its head, timeline, chunk and transcript, held together by what is
// picked. Fetches the cassette, and goes on fetching while it is being recorded.

import { fetchCassette, Unreachable } from "./api.js";
import { button, counted, duration, el } from "./dom.js";
import { Inspector } from "./inspector.js";
import { KINDS, outcomeOf } from "./kinds.js";
import { announcePick } from "./labels.js";
import { Lanes } from "./lanes.js";
import { Cassette, Pick } from "./model.js";
import { Transcript } from "./transcript.js";

const POLL_MS = 400;

export class Pane {
  constructor(name, scale, { onpick, onclose, onrename }) {
    this.cassette = new Cassette(name);
    this.scale = scale;
    this.told = onpick;
    this.onclose = onclose;
    this.onrename = onrename;
    this.pick = null;
    const tell = {
      onpick: (pick, source) => this.choose(pick, source),
      onhover: (hover) => this.point(hover),
    };
    this.lanes = new Lanes(this.cassette, scale, tell);
    this.transcript = new Transcript(this.cassette, tell);
    this.inspector = new Inspector(this.cassette, tell);
    this.title = el("h2", { class: "title" });
    this.meta = el("p", { class: "meta" });
    this.notes = el("div", { class: "notes" });
    this.legend = el("ul", { class: "legend", "aria-label": "Chunks by kind: go to the next" });
    this.followButton = button("Follow", () => this.scale.follow(!this.scale.follows), { class: "tool", hidden: true });
    this.closeButton = button("✕", () => this.onclose(this), { class: "quiet icon", "aria-label": "Close", hidden: true });
    this.element = el(
      "section",
      { class: "pane", "aria-label": name, "aria-busy": "true" },
      el("header", { class: "pane-head" }, el("div", {}, this.title, this.meta), this.closeButton),
      this.notes,
      el(
        "div",
        { class: "side" },
        el("div", { class: "tools" }, this.legend, this.followButton, this.zooms()),
        this.lanes.element,
        this.inspector.element,
        el("p", { class: "pointer" }, "Pick a tick, a word or a call: each leads to the others, and to its bytes."),
      ),
      this.transcript.element,
    );
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.scale.addEventListener("change", () => this.markFollowing());
    this.entitle();
  }

  zooms() {
    return el(
      "div",
      { class: "zooms", role: "group", "aria-label": "Zoom" },
      button("−", () => this.scale.zoom(2), { class: "tool", "aria-label": "Zoom out" }),
      button("+", () => this.scale.zoom(0.5), { class: "tool", "aria-label": "Zoom in" }),
      button("All", () => this.scale.fit(), { class: "tool", "aria-label": "Show the whole session" }),
    );
  }

  /** Fetch the cassette, then, while it is recorded, what is new. Ends when it is closed. */
  async load(pick = null) {
    while (!this.closed) {
      const began = performance.now();
      try {
        if (!document.hidden || !this.cassette.version) this.take(await fetchCassette(this.cassette.name, this.cassette.version));
      } catch (error) {
        if (this.closed) return;
        this.fail(error);
        if (!this.cassette.live) return;
      }
      if (pick) this.choose(pick.number === null ? null : pick, "link");
      pick = null;
      if (!this.cassette.live) return;
      // A large recording takes long to read: it must not keep the proxy busy.
      const took = performance.now() - began;
      await new Promise((resolve) => setTimeout(resolve, Math.max(POLL_MS, took * 5)));
    }
  }

  take(reply) {
    if (this.closed) return;
    const before = { name: this.cassette.name, live: this.cassette.live, new: !this.cassette.version };
    const changed = this.cassette.take(reply);
    this.element.setAttribute("aria-busy", "false");
    this.notes.replaceChildren(...reply.warnings.map((text) => el("p", { class: "note warning" }, text)));
    if (changed.length || reply.whole) {
      this.lanes.update(changed);
      this.transcript.update(changed);
      this.draw();
    }
    this.scale.extend(this.lanes, this.cassette.present);
    if (this.cassette.live && before.new) this.scale.follow(true);
    if (!this.cassette.live && before.live) this.scale.follow(false);
    if (this.cassette.name !== before.name) this.onrename(this);
    this.entitle();
    if (this.pick) this.showPick(false);
  }

  fail(error) {
    this.element.setAttribute("aria-busy", "false");
    this.notes.replaceChildren(el("p", { class: "note failure", role: "alert" }, error.message));
    // Time does not go on in a recording that nobody hears from.
    if (error instanceof Unreachable) this.cassette.now = null;
  }

  close() {
    this.closed = true;
    this.lanes.close();
    this.transcript.close();
    this.scale.lasts.delete(this.lanes);
    this.element.remove();
  }

  entitle() {
    const { cassette } = this;
    const name = cassette.name.replace(/\.yaml\.part$/, "");
    const folder = name.slice(0, name.lastIndexOf("/") + 1);
    this.title.replaceChildren(el("span", { class: "folder" }, folder), name.slice(folder.length));
    if (cassette.live) this.title.append(el("span", { class: "badge" }, "recording"));
    this.element.setAttribute("aria-label", name);
    this.transcript.element.setAttribute("aria-label", `Transcript of ${name}`);
    this.inspector.element.setAttribute("aria-label", `Chunk of ${name}`);
    this.followButton.hidden = !cassette.live;
    this.markFollowing();
    if (!cassette.version) return;
    const when = new Date(cassette.recorded);
    this.meta.replaceChildren(
      ...[
        el("time", { datetime: cassette.recorded }, when.toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" })),
        el("span", {}, cassette.upstream),
        el("span", {}, counted(cassette.lanes.length, "interaction")),
        el("span", {}, counted(cassette.chunks, "chunk")),
        el("span", {}, duration(cassette.present)),
      ].flatMap((each, index) => (index ? [" · ", each] : [each])),
    );
  }

  markFollowing() {
    this.followButton.setAttribute("aria-pressed", String(this.scale.follows));
  }

  draw() {
    const counts = KINDS.map(() => 0);
    let cancels = 0;
    for (const lane of this.cassette.lanes) {
      for (const bits of lane.kinds) for (let index = 0; index < KINDS.length; index += 1) if (bits & (1 << index)) counts[index] += 1;
      if (outcomeOf(lane).ending === "cancel") cancels += 1;
    }
    const shown = ["text", "reasoning", "tool", "refusal", "other", "finish", "error"]
      .map((id) => KINDS.findIndex((kind) => kind.id === id))
      .filter((index) => counts[index]);
    const items = shown.map((index) =>
      this.legendItem(KINDS[index].id, KINDS[index].label, counts[index], () => this.nextOf(1 << index)),
    );
    if (cancels) items.push(this.legendItem("cancel", "cancel", cancels, () => this.nextCancel()));
    this.legend.replaceChildren(...items);
  }

  legendItem(id, label, count, onclick) {
    return el(
      "li",
      {},
      button([el("span", { class: `swatch kind-${id}` }), label, el("span", { class: "count" }, count.toLocaleString("en"))], onclick, {
        class: "legend-item",
        title: `Next: ${label}`,
      }),
    );
  }

  /** Pick the next chunk of a kind after what is picked, from the beginning again at the end. */
  nextOf(bit) {
    const { lanes } = this.cassette;
    const at = this.pick ? this.cassette.byNumber.get(this.pick.number).place : 0;
    const after = this.pick?.primary ?? -1;
    for (let step = 0; step <= lanes.length; step += 1) {
      const lane = lanes[(at + step) % lanes.length];
      const chunk = lane.kinds.findIndex((bits, index) => bits & bit && (step > 0 || index > after));
      if (chunk >= 0) {
        this.choose(new Pick(lane.number, [chunk]), "key");
        return;
      }
    }
  }

  nextCancel() {
    const { lanes } = this.cassette;
    const at = this.pick ? this.cassette.byNumber.get(this.pick.number).place : -1;
    const cancelled = lanes.filter((lane) => outcomeOf(lane).ending === "cancel");
    const next = cancelled.find((lane) => lane.place > at) ?? cancelled[0];
    if (next) this.choose(new Pick(next.number, []), "key");
  }

  choose(pick, source) {
    if (pick && !this.cassette.byNumber.has(pick.number)) return;
    this.pick = pick;
    this.showPick(true, source);
    announcePick(this.cassette, pick);
    this.told(this, source);
  }

  showPick(reveal, source = "") {
    this.lanes.show(this.pick, reveal && source !== "timeline");
    this.inspector.show(this.pick);
    this.transcript.show(this.pick, reveal && source !== "transcript");
  }

  point(hover) {
    this.lanes.pointAt(hover);
    this.transcript.pointAt(hover);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, .bytes, .body")) return;
    const action = this.keys()[event.key];
    if (!action || (event.target.closest("button, a, summary") && event.key === "Enter")) return;
    if (action() !== false) event.preventDefault();
  }

  keys() {
    const onTimeline = document.activeElement === this.lanes.scroller;
    const upDown = (by) => (onTimeline ? () => this.step(by) : () => false);
    return {
      ArrowLeft: () => this.walk(-1),
      ArrowRight: () => this.walk(1),
      ArrowUp: upDown(-1),
      ArrowDown: upDown(1),
      Home: onTimeline ? () => this.walk(-Infinity) : () => false,
      End: onTimeline ? () => this.walk(Infinity) : () => false,
      "+": () => this.scale.zoom(0.5, this.around),
      "=": () => this.scale.zoom(0.5, this.around),
      "-": () => this.scale.zoom(2, this.around),
      0: () => this.scale.fit(),
      Enter: () => this.lanes.zoomTo(this.picked),
      b: () => this.inspector.element.focus(),
      f: () => (this.cassette.live ? this.scale.follow(!this.scale.follows) : false),
      Escape: () => this.choose(null, "key"),
    };
  }

  get picked() {
    return (this.pick && this.cassette.byNumber.get(this.pick.number)) ?? null;
  }

  get around() {
    const chunk = this.pick?.primary;
    return this.picked && chunk !== null ? this.picked.times[chunk] : undefined;
  }

  /** To the chunk before or after, within the interaction. */
  walk(by) {
    const lane = this.picked ?? this.cassette.lanes[0];
    if (!lane) return;
    const from = this.pick?.primary ?? (by > 0 ? -1 : lane.count);
    const chunk = Math.max(0, Math.min(lane.count - 1, from + by));
    this.choose(new Pick(lane.number, lane.count ? [chunk] : []), "key");
  }

  /** To the interaction above or below. */
  step(by) {
    const { lanes } = this.cassette;
    const from = this.picked?.place ?? (by > 0 ? -1 : lanes.length);
    const lane = lanes[Math.max(0, Math.min(lanes.length - 1, from + by))];
    if (lane) this.choose(new Pick(lane.number, []), "key");
  }
}
