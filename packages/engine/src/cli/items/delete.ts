import type { Command } from '../command/command.js';
import { ENGINE_OPTIONS, withEngine } from './engine-connection.js';
import { CONDITION_OPTIONS, ITEM_WORDS, itemOf, notFound, objectOf, payloadOf, printWrite, termsOf } from './item-words.js';

export const deleteCommand: Command = {
  name: 'delete',
  positionals: ITEM_WORDS,
  options: { ...ENGINE_OPTIONS, ...CONDITION_OPTIONS },
  run: (input, context) =>
    withEngine(input, context, async ({ call }) => {
      const name = itemOf(input);
      const result = objectOf(await call('stream::delete', { ...payloadOf(name), ...termsOf(input) }));
      if (result.conflict === undefined && result.version === null) throw notFound(name);
      return printWrite(input, context, 'deleted', result);
    }),
};
