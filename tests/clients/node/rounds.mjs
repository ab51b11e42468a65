// A round of parallel tool calls whose tools run at the same time and finish in a set order:
// what tests/support/rounds.py is for Python, with the same words, so that the model says the same.

export const MODEL = "smollm2";
export const ASK_TWO = "Run ls and ls -l";
export const QUESTION = "What is the capital of France?";
export const LONG = "Tell me a long story about a fox.";

export const NAME = "run_command";
export const DESCRIPTION = "Run a shell command and return what it prints";
export const PARAMETERS = {
  type: "object",
  properties: { command: { type: "string", description: "The command to run" } },
  required: ["command"],
};
export const TOOL = {
  type: "function",
  function: { name: NAME, description: DESCRIPTION, parameters: PARAMETERS },
};
const OUTPUTS = {
  ls: "README.md\nsrc",
  "ls -l": "-rw-r--r-- 1 me me 512 README.md\ndrwxr-xr-x 2 me me 4096 src",
};

function signal() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

/** `run_command`, which waits until the call that is to finish before it has finished. */
export class Tools {
  constructor(finishing) {
    this.finished = [];
    const commands = Object.keys(OUTPUTS);
    if (finishing === "reversed") commands.reverse();
    this.done = new Map(commands.map((command) => [command, signal()]));
    this.before = new Map(commands.slice(1).map((command, at) => [command, commands[at]]));
    this.finishing = finishing;
  }

  async runCommand(command) {
    await this.done.get(this.before.get(command))?.promise;
    this.finished.push(command);
    this.done.get(command)?.resolve();
    return OUTPUTS[command] ?? `${command}: not found`;
  }

  /** Arguments as an agent writes them that keeps them parsed: each run in its own way. */
  spell(args) {
    return JSON.stringify(JSON.parse(args), null, this.finishing === "reversed" ? 1 : 0);
  }
}

/** Runs the calls at the same time; their results in the order in which they came. */
export async function asFinished(calls) {
  const results = [];
  await Promise.all(calls.map(async (call) => results.push(await call)));
  return results;
}
