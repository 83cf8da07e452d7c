import { printable } from '../logging/printable.js';
import type { CommandContext } from './command/command.js';
import { EXIT, type ExitCode } from './command/exit-codes.js';
import { readWords } from './command/read-words.js';
import { StandardOutput } from './command/standard-output.js';
import { COMMANDS } from './commands.js';

async function main(words: readonly string[], context: CommandContext, output: StandardOutput): Promise<ExitCode> {
  const [first, second] = words;
  const name = first === 'help' ? second : first;
  const command = await COMMANDS.find((row) => row.name === name)?.load();
  const read = readWords(words, COMMANDS, command, context);
  const code = read.kind === 'done' ? read.code : await command?.run(read.input, context);
  if (read.kind === 'input' && command?.leavesOutput === true) return code ?? EXIT.usage;
  await output.taken();
  const { failure } = output;
  if (failure === undefined) return code ?? EXIT.usage;
  context.err(
    `error: the output is not complete: ${printable(failure.message)}; give it room, or write it elsewhere (${failure.code ?? 'EIO'})\n`,
  );
  return code === undefined || code === EXIT.ok ? EXIT.failed : code;
}

const given = process.argv.slice(2);
const output = new StandardOutput(process.stdout);
// A message that nobody can read does not change the end of the command.
process.stderr.on('error', () => {});
const context: CommandContext = {
  cwd: process.cwd(),
  env: process.env,
  isTerminal: process.stderr.isTTY,
  ...(process.stdout.isTTY ? { columns: process.stdout.columns } : {}),
  get stdin() {
    return process.stdin;
  },
  outputClosed: output.closed,
  unread: output,
  out: (text) => output.write(text),
  err: (text) => process.stderr.write(text),
};
const words = given[0] === '--version' ? ['version', ...given.slice(1)] : given;
const code = await main(words, context, output).catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.failed;
});
// The exit is explicit, so that nothing that is still open can keep a stopped engine alive.
process.exit(code);
