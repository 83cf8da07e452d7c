import { isJsonObject, type JsonObject } from '@rivulet/protocol';
import type { Command, CommandContext, CommandInput, Positional } from '../command/command.js';
import { EXIT, type ExitCode } from '../command/exit-codes.js';
import { CommandFailure, errorLines } from '../command/failure.js';
import { readDuration } from '../command/numbers.js';

export const GROUP_WORDS: readonly Positional[] = [
  { name: 'STREAM', description: 'the name of the stream' },
  { name: 'GROUP', description: 'the id of the group' },
];
export const ITEM_WORDS: readonly Positional[] = [...GROUP_WORDS, { name: 'ITEM', description: 'the id of the item' }];

/** Options of every command that writes one item. */
export const CONDITION_OPTIONS = {
  'if-version': { type: 'value', value: 'VERSION', description: 'write only if the last change of the item has this version' },
  'idempotency-key': { type: 'value', value: 'KEY', description: 'write once, also when the command is repeated with this key' },
} as const satisfies Command['options'];

/** Options of every command that may create an item. */
export const CREATE_OPTIONS = {
  ...CONDITION_OPTIONS,
  'if-absent': { type: 'flag', description: 'write only if there is no such item' },
  ttl: { type: 'value', value: 'TIME', description: 'delete the item that long after this write, from 1s to 30d' },
} as const satisfies Command['options'];

export interface ItemName {
  readonly stream: string;
  readonly group: string;
  readonly item: string;
}

export function itemOf({ words }: CommandInput): ItemName {
  const [stream = '', group = '', item = ''] = words;
  return { stream, group, item };
}

/** Returns the members of a payload that name an item. */
export function payloadOf({ stream, group, item }: ItemName): JsonObject {
  return { stream_name: stream, group_id: group, item_id: item };
}

/** Returns the members of a payload for the options of a write. Throws a usage failure. */
export function termsOf(input: CommandInput): JsonObject {
  return {
    with_versions: true,
    if_version: input.value('if-version'),
    if_absent: input.flag('if-absent') || undefined,
    idempotency_key: input.value('idempotency-key'),
    ttl_ms: readDuration(input, 'ttl'),
  };
}

/** Prints the result of a write, or the conflict if its condition did not hold: a line for people, or all of it as JSON. */
export function printWrite(input: CommandInput, context: CommandContext, line: string, result: JsonObject): ExitCode {
  const json = input.flag('json');
  if (result.conflict !== undefined) {
    const version = isJsonObject(result.conflict) ? result.conflict.version : undefined;
    const present = typeof version === 'string' ? `the item has version ${version}` : 'there is no such item';
    const error = { code: 'CONFLICT', message: `nothing was written, because ${present}; read the item, and write again` };
    if (json) context.out(`${JSON.stringify({ ok: false, error, conflict: result.conflict })}\n`);
    else context.err(errorLines(error.code, error.message));
    return EXIT.failed;
  }
  if (json) context.out(`${JSON.stringify({ ok: true, ...result })}\n`);
  else context.out(`${line}${typeof result.version === 'string' ? `, version ${result.version}` : ''}\n`);
  return EXIT.ok;
}

export function notFound({ stream, group, item }: ItemName): CommandFailure {
  return new CommandFailure('NOT_FOUND', `stream ${stream}, group ${group} has no item ${item}`, EXIT.failed);
}

/** Returns the answer of a function of the engine as an object. */
export function objectOf(answer: unknown): JsonObject {
  if (isJsonObject(answer)) return answer;
  throw new CommandFailure('INVALID_FRAME', 'the answer of the engine has an unknown form; use the command of its version', EXIT.failed);
}
