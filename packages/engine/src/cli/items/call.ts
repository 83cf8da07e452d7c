import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { readJson } from '../command/json-input.js';
import { jsonLines } from '../command/json-lines.js';
import { ENGINE_OPTIONS, withEngine } from './engine-connection.js';

export const callCommand: Command = {
  name: 'call',
  positionals: [
    { name: 'FUNCTION', description: 'the id of the function' },
    { name: 'JSON', description: 'the payload; - reads it from stdin; else {}', optional: true },
  ],
  options: ENGINE_OPTIONS,
  notes: ['Prints the result as JSON, and null if the function returns nothing.'],
  run: (input, context) =>
    withEngine(input, context, async ({ call }) => {
      const [functionId = '', word] = input.words;
      const payload = word === undefined ? {} : await readJson(word, 'the payload', context);
      const result = (await call(functionId, payload)) ?? null;
      context.out(input.flag('json') ? `${JSON.stringify({ ok: true, result })}\n` : jsonLines(result));
      return EXIT.ok;
    }),
};
