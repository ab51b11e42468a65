// What the page asks of the proxy it came from.

const base = new URL(".", location.href);

/** The proxy is not there: it has ended, or cannot be reached. */
export class Unreachable extends Error {}

async function ask(path) {
  const response = await fetch(new URL(path, base), { headers: { Accept: "application/json" } }).catch(() => {
    throw new Unreachable("The proxy does not answer. This is what was seen before.");
  });
  if (response.ok) return response;
  let message = `${response.status} ${response.statusText}`;
  try {
    const { error } = await response.json();
    message = typeof error === "string" ? error : error.message;
  } catch {
    // The status has to do.
  }
  throw new Error(message);
}

const cassette = (name) => `cassettes/${encodeURIComponent(name)}`;
const chunk = (name, number, index) => `${cassette(name)}/interactions/${number}/chunks/${index}`;

export async function fetchList() {
  return (await ask("cassettes")).json();
}

export async function fetchCassette(name, since) {
  return (await ask(`${cassette(name)}?since=${encodeURIComponent(since)}`)).json();
}

export async function fetchDetails(name, number) {
  return (await ask(`${cassette(name)}/interactions/${number}`)).json();
}

export async function fetchChunk(name, number, index, limit) {
  const response = await ask(`${chunk(name, number, index)}?limit=${limit}`);
  return new Uint8Array(await response.arrayBuffer());
}

export function chunkUrl(name, number, index) {
  return new URL(chunk(name, number, index), base).href;
}

export async function fetchDiff(a, b) {
  return (await ask(`diff?${new URLSearchParams({ a, b })}`)).json();
}

export async function fetchReport(session) {
  return (await ask(`sessions/${encodeURIComponent(session)}`)).json();
}
