import { field, type JsonObject, stringField } from '@rivulet/protocol';
import { printable } from '../../logging/printable.js';
import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { CommandFailure } from '../command/failure.js';
import { ADMIN_OPTIONS, withAdmin } from './admin-api.js';

export const whyCommand: Command = {
  name: 'why',
  positionals: [
    { name: 'SESSION', description: 'the id of a session, an identity, or the address of a refused client' },
    { name: 'STREAM', description: 'the name of the stream' },
    { name: 'GROUP', description: 'the name of the group' },
    { name: 'ITEM', description: 'the item that changed; else the question is about the whole group', optional: true },
  ],
  options: {
    ...ADMIN_OPTIONS,
    offset: { type: 'value', value: 'N', description: 'the offset of the change; else the newest change is meant' },
    json: { type: 'flag', description: 'print one JSON value on stdout' },
  },
  notes: ['docs/why.md has all causes. A cause that the engine does not remember is never guessed: the answer then is not_known_any_more.'],
  run: (input, context) =>
    withAdmin(input, context, async ({ get }) => {
      const [session, stream, group, item] = input.words;
      const offset = input.value('offset');
      if (offset !== undefined && !/^[1-9]\d{0,15}$/.test(offset))
        throw new CommandFailure('INVALID_ARGUMENTS', `--offset ${offset} is no whole number from 1`, EXIT.usage);
      const answer = await get('why', { session, stream, group, item, offset });
      context.out(input.flag('json') ? `${JSON.stringify({ ok: true, ...answer })}\n` : textOf(answer));
      return EXIT.ok;
    }),
};

/** Returns the answer for people: the cause, the sentences of the engine, and when the change or the event was. */
function textOf(answer: JsonObject): string {
  const cause = stringField(answer, 'cause') ?? 'unknown';
  const lines = (stringField(answer, 'text') ?? '').split('\n').map(printable);
  const at = field(answer, 'at');
  const time = typeof at === 'number' ? timeOf(at) : undefined;
  return `${[printable(cause), ...lines, ...(time === undefined ? [] : [`at ${time}`])].join('\n')}\n`;
}

/** Returns a time as text; `undefined` when no date can have it. */
function timeOf(ms: number): string | undefined {
  const time = new Date(ms);
  // oxlint-disable-next-line eslint/no-restricted-properties -- the time was checked
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
