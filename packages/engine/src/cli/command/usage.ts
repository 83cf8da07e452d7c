import type { Command } from './command.js';
import { EXIT_CODES } from './exit-codes.js';

/** A line of the list of commands. */
export interface CommandSummary {
  readonly name: string;
  readonly summary: string;
  readonly example: string;
}

const EXITS = Object.values(EXIT_CODES)
  .map(({ code, meaning }) => `  ${String(code).padEnd(4)}${meaning}`)
  .join('\n');

/** Returns the text of `rivulet --help`: all commands, an example of each, and the exit codes. */
export function usageOf(commands: readonly CommandSummary[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 4;
  const row = (name: string, text: string) => `  ${name.padEnd(width)}${text}`;
  return [
    'Usage: rivulet COMMAND [options]',
    '',
    'Commands:',
    ...commands.map(({ name, summary }) => row(name, summary)),
    '',
    'Examples:',
    ...commands.map(({ example }) => `  ${example}`),
    '',
    '"rivulet COMMAND --help" lists the options of a command.',
    '',
    'Exit codes:',
    EXITS,
    '',
  ].join('\n');
}

/** Returns the text of `rivulet COMMAND --help`. */
export function usageOfCommand(command: Command, { summary, example }: CommandSummary): string {
  const { name, positionals = [], options, notes = [] } = command;
  const rows: (readonly [string, string])[] = [
    ...positionals.map((each): [string, string] => [each.name, each.description]),
    ...Object.entries(options).map(([long, option]): [string, string] => {
      const short = option.short === undefined ? '' : `-${option.short}, `;
      return [`${short}--${long}${option.type === 'value' ? ` ${option.value}` : ''}`, option.description];
    }),
  ];
  const width = Math.max(0, ...rows.map(([left]) => left.length)) + 4;
  const words = positionals.map((each) => (each.optional === true ? `[${each.name}]` : each.name));
  return [
    `Usage: rivulet ${[name, ...words, '[options]'].join(' ')}`,
    '',
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    '',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`),
    ...(rows.length > 0 ? [''] : []),
    ...notes.flatMap((note) => [note, '']),
    `Example: ${example}`,
    '',
  ].join('\n');
}
