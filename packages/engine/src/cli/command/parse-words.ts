import { parseArgs } from 'node:util';
import { nearestName } from '@rivulet/protocol';
import type { Command, CommandInput, Option, Positional } from './command.js';

/** Returns the input of a command, or a sentence about the mistake in its words. */
export function parseWords(command: Command, words: readonly string[]): CommandInput | string {
  const { values, positionals, tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(Object.entries(command.options).map(([name, option]) => [name, parserOption(option)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const mistake = optionMistake(command, token.name, token.rawName, token.value);
    if (mistake !== undefined) return mistake;
  }
  const mistake = positionalMistake(command.positionals ?? [], positionals);
  if (mistake !== undefined) return mistake;
  const listed = (name: string) => {
    const value = values[name];
    return (Array.isArray(value) ? value : [value]).filter((each) => typeof each === 'string');
  };
  return { words: positionals, flag: (name) => values[name] === true, value: (name) => listed(name).at(-1), values: listed };
}

function parserOption(option: Option): { type: 'boolean' | 'string'; short?: string; multiple?: boolean } {
  return {
    type: option.type === 'flag' ? 'boolean' : 'string',
    ...(option.short === undefined ? {} : { short: option.short }),
    ...(option.type === 'value' && option.multiple === true ? { multiple: true } : {}),
  };
}

function optionMistake(command: Command, name: string, written: string, value: string | undefined): string | undefined {
  const option = Object.hasOwn(command.options, name) ? command.options[name] : undefined;
  if (option === undefined) {
    const near = nearestName(name, Object.keys(command.options));
    const hint = near === undefined ? 'leave it out' : `did you mean --${near}?`;
    return `"${command.name}" has no option ${written}; ${hint}`;
  }
  if (option.type === 'flag' && value !== undefined) return `option --${name} takes no value; leave "${value}" out`;
  if (option.type === 'value' && (value === undefined || value === '')) return `option --${name} needs a value: --${name} ${option.value}`;
  return undefined;
}

function positionalMistake(known: readonly Positional[], given: readonly string[]): string | undefined {
  const missing = known.find(({ optional }, index) => optional !== true && index >= given.length);
  if (missing !== undefined) return `${missing.name} is missing: ${missing.description}`;
  const extra = given[known.length];
  return extra === undefined ? undefined : `"${extra}" is one word too many; leave it out`;
}
