import type { CommandContext } from './command/command.js';
import { EXIT, type ExitCode } from './command/exit-codes.js';
import { parseWords } from './command/parse-words.js';
import { usageOf, usageOfCommand } from './command/usage.js';
import { COMMANDS } from './commands.js';

const HELP = new Set(['--help', '-h']);

async function main(words: readonly string[], context: CommandContext): Promise<ExitCode> {
  const [name = '', ...rest] = words;
  if (name === 'help' || HELP.has(name)) {
    context.out(usageOf(COMMANDS));
    return EXIT.ok;
  }
  const wanted = name === '--version' ? 'version' : name;
  const row = COMMANDS.find((each) => each.name === wanted);
  if (row === undefined) {
    context.err(`error: ${name === '' ? 'a command is missing' : `unknown command "${name}"`}\n\n${usageOf(COMMANDS)}`);
    return EXIT.usage;
  }
  const command = await row.load();
  const end = rest.indexOf('--');
  if (rest.slice(0, end < 0 ? rest.length : end).some((word) => HELP.has(word))) {
    context.out(usageOfCommand(command, row));
    return EXIT.ok;
  }
  const input = parseWords(command, rest);
  if (typeof input === 'string') {
    context.err(`error: ${input}\n\n${usageOfCommand(command, row)}`);
    return EXIT.usage;
  }
  return await command.run(input, context);
}

const code = await main(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  isTerminal: process.stderr.isTTY,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
}).catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.failed;
});
// The exit is explicit, so that nothing that is still open can keep a stopped engine alive.
process.exit(code);
