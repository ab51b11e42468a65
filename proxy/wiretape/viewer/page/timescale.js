// Which part of a session's time is in view. Knows times alone; tells whoever listens of changes.

const SHORTEST_US = 200;
const FOLLOWED_US = 60e6;

export class TimeScale extends EventTarget {
  constructor() {
    super();
    this.lasts = new Map();
    this.from = 0;
    this.to = 1;
    this.fitted = true;
    this.follows = false;
  }

  /** Where the last thing of all stands. */
  get last() {
    return Math.max(1, ...this.lasts.values());
  }

  get span() {
    return this.to - this.from;
  }

  /** How far somebody's session goes; what shows all, or follows, goes along. */
  extend(owner, last) {
    if (this.lasts.get(owner) === last) return;
    this.lasts.set(owner, last);
    if (this.follows) this.follow(true);
    else if (this.fitted) this.fit();
    else this.changed();
  }

  fit() {
    this.fitted = true;
    this.from = 0;
    this.to = this.last;
    this.changed();
  }

  /** Keep the end in view; a long session shows its last minute, or as much as is in view. */
  follow(on) {
    this.follows = on;
    if (on && (!this.fitted || this.last > FOLLOWED_US)) {
      const span = Math.min(this.fitted ? FOLLOWED_US : this.span, this.last);
      this.fitted = false;
      this.from = this.last - span;
      this.to = this.last;
      this.changed();
    } else if (on) {
      this.fit();
    } else {
      this.changed();
    }
  }

  show(from, to) {
    const span = Math.min(Math.max(to - from, SHORTEST_US), Math.max(this.last, SHORTEST_US));
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(0, middle - span / 2), Math.max(0, this.last - span));
    this.to = this.from + span;
    this.fitted = this.from <= 0 && this.to >= this.last;
    this.follows = this.follows && this.to >= this.last;
    this.changed();
  }

  /** Show `factor` times as much, with the moment `around` where it is. */
  zoom(factor, around = (this.from + this.to) / 2) {
    const span = Math.min(Math.max(this.span * factor, SHORTEST_US), this.last);
    const share = (around - this.from) / this.span;
    const from = Math.min(Math.max(0, around - share * span), Math.max(0, this.last - span));
    this.show(from, from + span);
  }

  pan(us) {
    const from = Math.min(Math.max(0, this.from + us), Math.max(0, this.last - this.span));
    this.show(from, from + this.span);
  }

  /** Bring a stretch into view, moving no more than it takes. */
  reveal(from, to) {
    if (from >= this.from && to <= this.to) return;
    if (to - from > this.span) this.show(from - (to - from) * 0.1, to + (to - from) * 0.1);
    else this.pan(from < this.from ? from - this.from - this.span * 0.1 : to - this.to + this.span * 0.1);
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Round moments for an axis with at most `most` marks: [step, first, …]. */
export function roundMoments(from, to, most) {
  const rough = (to - from) / Math.max(1, most);
  const steps =
    rough > 3e7
      ? [60e6, 120e6, 300e6, 600e6, 1800e6, 3600e6, 7200e6, 21600e6, 86400e6]
      : [1, 2, 5, 10].map((factor) => factor * 10 ** Math.floor(Math.log10(rough)));
  const step = steps.find((each) => each >= rough) ?? steps[steps.length - 1];
  const moments = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) moments.push(at);
  return { step, moments };
}
