import type { CommandContext } from './command/command.js';
import { EXIT, type ExitCode } from './command/exit-codes.js';
import { readWords } from './command/read-words.js';
import { COMMANDS } from './commands.js';

async function main(words: readonly string[], context: CommandContext): Promise<ExitCode> {
  const [first, second] = words;
  const name = first === 'help' ? second : first;
  const command = await COMMANDS.find((row) => row.name === name)?.load();
  const read = readWords(words, COMMANDS, command, context);
  const code = read.kind === 'done' ? read.code : await command?.run(read.input, context);
  if (read.kind === 'done' || command?.leavesOutput !== true) await context.unread?.taken();
  return code ?? EXIT.usage;
}

/** Returns a signal that aborts when nobody reads stdout any more. Node would end the process with an error. */
function outputClosed(): AbortSignal {
  const closed = new AbortController();
  process.stdout.on('error', () => closed.abort());
  return closed.signal;
}

/** The output to a pipe waits in this process until the reader takes it. */
const unread = {
  get length() {
    return process.stdout.writableLength;
  },
  async taken() {
    if (process.stdout.writableLength > 0 && !process.stdout.destroyed)
      await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  },
};

const given = process.argv.slice(2);
const code = await main(given[0] === '--version' ? ['version', ...given.slice(1)] : given, {
  cwd: process.cwd(),
  env: process.env,
  isTerminal: process.stderr.isTTY,
  ...(process.stdout.isTTY ? { columns: process.stdout.columns } : {}),
  get stdin() {
    return process.stdin;
  },
  outputClosed: outputClosed(),
  unread,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
}).catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.failed;
});
// The exit is explicit, so that nothing that is still open can keep a stopped engine alive.
process.exit(code);
