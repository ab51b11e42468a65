// Runs one scenario of one client, and prints what its user gets, as JSON:
//
//     node play.mjs CLIENT SCENARIO FINISHING

import dns from "node:dns";

import { Tools } from "./rounds.mjs";

// The proxy is reached by its address: a client that looks up a name asks somebody else.
dns.lookup = (host) => {
  throw new Error(`no network in this test: ${host}`);
};

const [client, scenario, finishing] = process.argv.slice(2);
const tools = new Tools(finishing);
const scenarios = await import(`./${client}.mjs`);
const got = await scenarios[scenario](tools);
console.log(JSON.stringify({ got, finished: tools.finished }));
