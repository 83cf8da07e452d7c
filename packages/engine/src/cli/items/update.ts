import { isJsonObject } from '@rivulet/protocol';
import { printable } from '../../logging/printable.js';
import type { Command, CommandContext } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { CommandFailure } from '../command/failure.js';
import { readJson } from '../command/json-input.js';
import { ENGINE_OPTIONS, withEngine } from './engine-connection.js';
import { CREATE_OPTIONS, ITEM_WORDS, itemOf, objectOf, payloadOf, printWrite, termsOf } from './item-words.js';
import { type Operation, operationOf } from './update-words.js';

export const updateCommand: Command = {
  name: 'update',
  positionals: [...ITEM_WORDS, { name: 'OP', description: 'operations, which the engine applies in order, in one step', variadic: true }],
  options: { ...ENGINE_OPTIONS, ...CREATE_OPTIONS },
  notes: [
    [
      'Operations:',
      '  KEY=TEXT      store a text',
      '  KEY:=JSON     store a JSON value',
      '  KEY:=         remove the key',
      '  KEY+=NUMBER   add a number; KEY-=NUMBER subtracts it',
      '  KEY++=TEXT    append a text to a list or a text; KEY++:=JSON appends a JSON value',
      '  {…} or […]    an operation of stream::update as JSON, or a list of them; - reads it from stdin',
    ].join('\n'),
  ],
  run: (input, context) =>
    withEngine(input, context, async ({ call }) => {
      const ops = await operationsOf(input.words.slice(3), context);
      const result = objectOf(await call('stream::update', { ...payloadOf(itemOf(input)), ...termsOf(input), ops }));
      const skipped = Array.isArray(result.errors) ? result.errors : [];
      if (skipped.length === 0) return printWrite(input, context, 'updated', result);
      const errors = skipped.filter(isJsonObject).map(({ op_index, code, message }) => ({
        code: String(code),
        message: `operation ${Number(op_index) + 1} was skipped: ${String(message)}`,
      }));
      if (input.flag('json')) context.out(`${JSON.stringify({ ok: false, error: errors[0], ...result })}\n`);
      else for (const { code, message } of errors) context.err(`error: ${printable(message)} (${printable(code)})\n`);
      return EXIT.failed;
    }),
};

async function operationsOf(words: readonly string[], context: CommandContext): Promise<readonly Operation[]> {
  const lists = [];
  for (const word of words) {
    const value = word === '-' ? await readJson('-', 'the list of operations', context) : operationOf(word);
    lists.push(Array.isArray(value) ? value : [value]);
  }
  const operations = lists.flat();
  if (operations.every(isJsonObject)) return operations;
  throw new CommandFailure('INVALID_ARGUMENTS', 'an operation as JSON is an object, such as {"type":"remove","path":"KEY"}', EXIT.usage);
}
