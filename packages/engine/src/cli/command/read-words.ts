import { CommanderError, InvalidArgumentError, Command as Program, Option as ProgramOption } from 'commander';
import type { Command, CommandContext, CommandInput, Option, Positional } from './command.js';
import { EXIT, EXIT_CODES, type ExitCode } from './exit-codes.js';
import { CommandFailure, fail } from './failure.js';

/** A line of the list of commands. */
export interface CommandSummary {
  readonly name: string;
  readonly summary: string;
  readonly example: string;
  /** The heading of `--help` under which the command stands. */
  readonly group: string;
}

/** The words of a command line: the input of the command, or an exit code if the help or a mistake was printed. */
export type Words = { readonly kind: 'input'; readonly input: CommandInput } | { readonly kind: 'done'; readonly code: ExitCode };

/**
 * Reads a command line. `command` is the command that the words name, if it is known. The other rows are in the help only, so their files
 * need not be loaded.
 */
export function readWords(
  words: readonly string[],
  rows: readonly CommandSummary[],
  command: Command | undefined,
  io: Pick<CommandContext, 'out' | 'err'>,
): Words {
  let input: CommandInput | undefined;
  const json = wantsJson(words, command);
  const program = programOf(rows, json ? { ...io, err: () => {} } : io);
  for (const row of rows) {
    const part = program.command(row.name).summary(row.summary).description(sentence(row.summary)).helpGroup(row.group);
    if (command?.name === row.name) {
      define(part, command, row.example);
      part.action(() => {
        input = inputOf(part, command);
      });
    }
  }
  try {
    if (words.length === 0) {
      program.showHelpAfterError(true).error('error: a command is missing');
    }
    program.parse(words[0] === 'help' ? [...words.slice(1), '--help'] : words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (json && error.exitCode !== 0)
      return { kind: 'done', code: fail(new CommandFailure('INVALID_ARGUMENTS', messageOf(error), EXIT.usage), io, true) };
    return { kind: 'done', code: error.exitCode === 0 ? EXIT.ok : EXIT.usage };
  }
  return input === undefined ? { kind: 'done', code: EXIT.ok } : { kind: 'input', input };
}

/** Returns whether a command line asks for JSON. A wrong one is not read to its end, so this looks at its words only. */
function wantsJson(words: readonly string[], command: Command | undefined): boolean {
  const end = words.indexOf('--');
  return command?.options.json !== undefined && words.slice(0, end < 0 ? words.length : end).includes('--json');
}

function messageOf({ message }: CommanderError): string {
  return message.replace(/^error: /, '');
}

function programOf(rows: readonly CommandSummary[], { out, err }: Pick<CommandContext, 'out' | 'err'>): Program {
  const exits = Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${String(code).padEnd(4)}${meaning}`);
  return new Program('rivulet')
    .usage('COMMAND [options]')
    .helpOption('-h, --help', 'print this help; with a command, its options')
    .helpCommand(false)
    .configureOutput({ writeOut: out, writeErr: err })
    .configureHelp({ subcommandTerm: (part) => part.name(), showGlobalOptions: false })
    .exitOverride()
    .showHelpAfterError('Try "rivulet --help".')
    .addHelpText('after', (context) =>
      context.command.parent === null
        ? ['', 'Examples:', ...rows.map(({ example }) => `  ${example}`), '', 'Exit codes:', ...exits].join('\n')
        : '',
    );
}

function define(part: Program, { positionals = [], options, notes = [] }: Command, example: string): void {
  part.helpOption('-h, --help', 'print this help').showHelpAfterError(`Try "rivulet ${part.name()} --help".`);
  for (const positional of positionals) part.argument(wordOf(positional), positional.description);
  for (const [name, option] of Object.entries(options)) part.addOption(programOption(name, option));
  const examples = ['', ...notes.flatMap((note) => [note, '']), `Example: ${example}`];
  part.addHelpText('after', examples.join('\n'));
}

function wordOf({ name, optional, variadic }: Positional): string {
  const word = variadic === true ? `${name}...` : name;
  return optional === true ? `[${word}]` : `<${word}>`;
}

function programOption(name: string, option: Option): ProgramOption {
  const short = option.short === undefined ? '' : `-${option.short}, `;
  if (option.type === 'flag') return new ProgramOption(`${short}--${name}`, option.description);
  return new ProgramOption(`${short}--${name} <${option.value}>`, option.description).argParser((value: string, before: unknown) => {
    if (value === '') throw new InvalidArgumentError('It needs a value.');
    return Array.isArray(before) ? [...before, value] : [value];
  });
}

function inputOf(part: Program, { options }: Command): CommandInput {
  const keys = new Map(Object.entries(options).map(([name, option]) => [name, programOption(name, option).attributeName()]));
  const read = (name: string): unknown => part.getOptionValue(keys.get(name) ?? '');
  const values = (name: string): readonly string[] => {
    const all = read(name);
    return Array.isArray(all) ? all.filter((each) => typeof each === 'string') : [];
  };
  return { words: part.args, flag: (name) => read(name) === true, value: (name) => values(name).at(-1), values };
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
