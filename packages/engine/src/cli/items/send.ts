import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { readJson } from '../command/json-input.js';
import { ENGINE_OPTIONS, withEngine } from './engine-connection.js';
import { GROUP_WORDS } from './item-words.js';

export const sendCommand: Command = {
  name: 'send',
  positionals: [
    ...GROUP_WORDS,
    { name: 'TYPE', description: 'the type of the event' },
    { name: 'JSON', description: 'the data of the event; - or nothing reads it from stdin', optional: true },
  ],
  options: {
    ...ENGINE_OPTIONS,
    id: { type: 'value', value: 'ITEM', description: 'send it to the clients that watch this item, too' },
    'idempotency-key': { type: 'value', value: 'KEY', description: 'send once, also when the command is repeated with this key' },
  },
  run: (input, context) =>
    withEngine(input, context, async ({ call }) => {
      const [stream_name, group_id, type, word] = input.words;
      const data = await readJson(word, 'the data', context);
      const payload = { stream_name, group_id, type, data, id: input.value('id'), idempotency_key: input.value('idempotency-key') };
      await call('stream::send', payload);
      context.out(input.flag('json') ? `${JSON.stringify({ ok: true })}\n` : 'sent\n');
      return EXIT.ok;
    }),
};
