import type { JsonObject } from '@rivulet/protocol';
import { EXIT } from '../command/exit-codes.js';
import { CommandFailure } from '../command/failure.js';
import { jsonOf } from '../command/json-input.js';

/** An operation of `stream::update`. The engine checks it. */
export type Operation = JsonObject;

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Returns the operation of a word of `rivulet update`, such as `likes+=1`. A word that begins with `{` or `[` is JSON. The key ends at the
 * first operator, so a key that has one inside can be written as JSON only. Throws a usage failure.
 */
export function operationOf(word: string): unknown {
  if (/^[[{]/.test(word)) return jsonOf(word, 'the operation');
  const [, path = '', operator = '', text = ''] = /^(.*?)(\+\+:=|\+\+=|\+=|-=|:=|=)(.*)$/s.exec(word) ?? [];
  if (path === '') {
    const hint = 'write KEY=TEXT, KEY:=JSON, KEY:= to remove it, KEY+=NUMBER, KEY-=NUMBER, KEY++=TEXT or KEY++:=JSON';
    throw new CommandFailure('INVALID_ARGUMENTS', `"${word}" is no operation; ${hint}`, EXIT.usage);
  }
  switch (operator) {
    case '=':
      return { type: 'set', path, value: text };
    case ':=':
      return text === '' ? { type: 'remove', path } : { type: 'set', path, value: jsonOf(text, `the value of ${path}`) };
    case '++=':
      return { type: 'append', path, value: text };
    case '++:=':
      return { type: 'append', path, value: jsonOf(text, `the value of ${path}`) };
    default:
      if (!NUMBER.test(text)) throw new CommandFailure('INVALID_ARGUMENTS', `"${word}" needs a number after ${operator}`, EXIT.usage);
      return { type: operator === '+=' ? 'increment' : 'decrement', path, by: Number(text) };
  }
}
