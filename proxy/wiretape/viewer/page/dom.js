// Elements, and values as people read them. Text goes in as text nodes and nowhere else: nothing of
// a cassette is ever taken for markup.

/** An element. Properties: `class`, `on` (listeners), `data`, the rest are attributes (true: bare). */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button that is no form's. */
export function button(label, onclick, properties = {}) {
  return el("button", { type: "button", on: { click: onclick }, ...properties }, label);
}

/** A duration in microseconds: `412 ms`, `1.20 s`, `75 s`. */
export function duration(us) {
  const size = Math.abs(us);
  if (size < 1000) return `${Math.round(us)} µs`;
  if (size < 1e6) return `${(us / 1e3).toFixed(size < 1e4 ? 1 : 0)} ms`;
  if (size < 6e7) return `${(us / 1e6).toFixed(2)} s`;
  return `${Math.floor(us / 6e7)} min ${Math.round((us % 6e7) / 1e6)} s`;
}

/** A moment of a session, for an axis whose marks are `step` apart: `0.25 s`, `1:05`. */
export function moment(us, step) {
  if (Math.abs(us) < 6e7 || step < 1e6) {
    const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step / 1e6) + 1e-9)));
    return step < 1e3 ? `${(us / 1e3).toFixed(Math.max(0, digits - 3))} ms` : `${(us / 1e6).toFixed(digits)} s`;
  }
  const whole = Math.round(us / 1e6);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60)];
  return hours ? `${hours}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  const units = ["kB", "MB", "GB"];
  const power = Math.min(units.length, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[power - 1]}`;
}

export function counted(count, one, several = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : several}`;
}

/** How long ago, in a word or two. */
export function ago(seconds) {
  const size = Date.now() / 1000 - seconds;
  if (size < 60) return "now";
  if (size < 3600) return `${Math.floor(size / 60)} min`;
  if (size < 86400) return `${Math.floor(size / 3600)} h`;
  return `${Math.floor(size / 86400)} d`;
}

/** One line of any text, with its line ends to be seen. */
export function oneLine(text, longest = 80) {
  const line = text.slice(0, longest + 1).replace(/\r?\n/g, "↵").replace(/\t/g, "⇥");
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
