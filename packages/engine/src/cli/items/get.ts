import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { jsonLines } from '../command/json-lines.js';
import { ENGINE_OPTIONS, withEngine } from './engine-connection.js';
import { ITEM_WORDS, itemOf, notFound, objectOf, payloadOf } from './item-words.js';

export const getCommand: Command = {
  name: 'get',
  positionals: ITEM_WORDS,
  options: ENGINE_OPTIONS,
  notes: ['Prints the value as JSON. With --json the output has the version and the position beside it.'],
  run: (input, context) =>
    withEngine(input, context, async ({ call }) => {
      const name = itemOf(input);
      if (!input.flag('json')) {
        const data = await call('stream::get', payloadOf(name));
        if (data === undefined) throw notFound(name);
        context.out(jsonLines(data));
        return EXIT.ok;
      }
      const found = objectOf(await call('stream::get', { ...payloadOf(name), with_versions: true }));
      if (found.version === null) throw notFound(name);
      context.out(`${JSON.stringify({ ok: true, ...name, ...found })}\n`);
      return EXIT.ok;
    }),
};
