import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import type * as checkConfig from './check-config.js';
import type { Command, CommandContext, OptionValues } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import type * as printConfig from './print-config.js';
import type * as start from './start.js';
import type * as version from './version.js';

/**
 * Loads a module and everything that it imports, one file after another. `import` opens all files at the same time. That fails if the
 * process may have fewer descriptors than the engine has files.
 */
const load = createRequire(import.meta.url);

/** Loaders of the commands. Each command loads only its own files; only `start` loads the whole engine. */
const COMMANDS: Readonly<Record<string, () => Command>> = {
  start: () => (load('./start.js') as typeof start).startCommand,
  'check-config': () => (load('./check-config.js') as typeof checkConfig).checkConfigCommand,
  'print-config': () => (load('./print-config.js') as typeof printConfig).printConfigCommand,
  version: () => (load('./version.js') as typeof version).versionCommand,
};

const USAGE = `Usage: rivulet <command> [options]

Commands:
  start           start the engine
  check-config    check the configuration and print warnings
  print-config    print the effective configuration as YAML, or as JSON with --json
  version         print the version

Options of start, check-config and print-config:
  -c, --config FILE    configuration file; else iii-config.yaml, else config.yaml, else built-in defaults
  --lenient-config     unknown keys and unknown workers are warnings

Exit codes: 0 ok, 1 failed, 64 wrong command line, 78 wrong configuration
`;

async function main(words: readonly string[], context: CommandContext): Promise<ExitCode> {
  const [name = '', ...rest] = words;
  if (['help', '--help', '-h'].includes(name) || rest.some((word) => word === '--help' || word === '-h')) {
    context.out(USAGE);
    return EXIT.ok;
  }
  const find = Object.hasOwn(COMMANDS, name === '--version' ? 'version' : name)
    ? COMMANDS[name === '--version' ? 'version' : name]
    : undefined;
  if (find === undefined) {
    context.err(`error: ${name === '' ? 'a command is missing' : `unknown command "${name}"`}\n\n${USAGE}`);
    return EXIT.usage;
  }
  const command = find();
  const values = parseOptions(command, rest);
  if (typeof values === 'string') {
    context.err(`error: ${values}\n\n${USAGE}`);
    return EXIT.usage;
  }
  return await command.run(values, context);
}

/** Returns the options, or the text of the mistake in them. */
function parseOptions(command: Command, words: readonly string[]): OptionValues | string {
  try {
    const { values } = parseArgs({ args: [...words], options: command.options, strict: true, allowPositionals: false });
    return Object.fromEntries(Object.entries(values).filter(([, value]) => !Array.isArray(value))) as OptionValues;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const code = await main(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
}).catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.failed;
});
// The exit is explicit, so that nothing that is still open can keep a stopped engine alive.
process.exit(code);
