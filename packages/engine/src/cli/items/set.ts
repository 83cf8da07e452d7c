import type { Command } from '../command/command.js';
import { readJson } from '../command/json-input.js';
import { ENGINE_OPTIONS, withEngine } from './engine-connection.js';
import { CREATE_OPTIONS, ITEM_WORDS, itemOf, objectOf, payloadOf, printWrite, termsOf } from './item-words.js';

export const setCommand: Command = {
  name: 'set',
  positionals: [...ITEM_WORDS, { name: 'JSON', description: 'the value; - or nothing reads it from stdin', optional: true }],
  options: { ...ENGINE_OPTIONS, ...CREATE_OPTIONS },
  run: (input, context) =>
    withEngine(input, context, async ({ call }) => {
      const data = await readJson(input.words[3], 'the value', context);
      const result = objectOf(await call('stream::set', { ...payloadOf(itemOf(input)), ...termsOf(input), data }));
      const isNew = result.old_value === null || result.old_value === undefined;
      return printWrite(input, context, isNew ? 'created' : 'replaced', result);
    }),
};
