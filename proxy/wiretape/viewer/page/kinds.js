// The kinds of chunks: what they are called and how they are drawn. A chunk may be of several.

/** In the order in which they are drawn, the tallest first, so that none hides another. */
export const KINDS = [
  { id: "error", label: "error", parts: ["error"], height: 1 },
  { id: "finish", label: "finish", parts: ["finish"], height: 1 },
  { id: "tool", label: "tool call", parts: ["tool_call"], height: 0.84 },
  { id: "refusal", label: "refusal", parts: ["refusal"], height: 0.6 },
  { id: "text", label: "text", parts: ["content"], height: 0.56 },
  { id: "reasoning", label: "reasoning", parts: ["reasoning"], height: 0.34 },
  { id: "other", label: "other", parts: ["usage", "unknown"], height: 0.2 },
];
const OTHER = KINDS[KINDS.length - 1];

/** Which outcome is which ending: a word, and whether the client or the upstream broke it off. */
export const OUTCOMES = {
  complete: { label: "complete", ending: "whole" },
  client_disconnected: { label: "cancelled by the client", ending: "cancel" },
  upstream_closed: { label: "cut off by the upstream", ending: "broken" },
  upstream_reset: { label: "reset by the upstream", ending: "broken" },
  upstream_timeout: { label: "upstream timed out", ending: "broken" },
  upstream_unreachable: { label: "upstream unreachable", ending: "broken" },
};
const UNFINISHED = { label: "no end was recorded", ending: "open" };

export function outcomeOf(lane) {
  return OUTCOMES[lane.outcome] ?? UNFINISHED;
}

/** Kinds as bits, from the parts that the server numbers: bit `i` of what it sends is `parts[i]`. */
export function kindReader(parts) {
  const translate = parts.map((part) => {
    const index = KINDS.findIndex((kind) => kind.parts.includes(part));
    return 1 << (index < 0 ? KINDS.indexOf(OTHER) : index);
  });
  const nothing = 1 << KINDS.indexOf(OTHER);
  return (sent) => {
    let bits = 0;
    for (let index = 0; index < translate.length; index += 1) if (sent & (1 << index)) bits |= translate[index];
    // What only accompanies something said is not worth a colour of its own.
    return (bits & ~nothing) || nothing;
  };
}

export function kindsIn(bits) {
  return KINDS.filter((_, index) => bits & (1 << index));
}
