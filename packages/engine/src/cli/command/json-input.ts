import { excerpt, parseJson, scanJson } from '@rivulet/protocol';
import type { CommandContext } from './command.js';
import { EXIT } from './exit-codes.js';
import { CommandFailure } from './failure.js';

/** The most bytes that a command reads from stdin: the largest message of a trusted worker. */
const MOST_BYTES = 16_777_216;

/** Returns the value of a JSON word. For `-`, and without a word, reads stdin. Throws a usage failure if the text is not JSON. */
export async function readJson(word: string | undefined, name: string, context: CommandContext): Promise<unknown> {
  if (word !== undefined && word !== '-') return jsonOf(word, name);
  const { stdin } = context;
  if (stdin === undefined || (word === undefined && stdin.isTTY === true))
    throw new CommandFailure('INVALID_ARGUMENTS', `${name} is missing: give a JSON value, or - and the value on stdin`, EXIT.usage);
  return jsonOf(await textOf(stdin, name), name);
}

/** Returns the value of a JSON text. Throws a usage failure that says how to quote. */
export function jsonOf(text: string, name: string): unknown {
  const scan = scanJson(text);
  if (scan.kind === 'refused') throw new CommandFailure('INVALID_ARGUMENTS', `${name} is ${scan.reason}`, EXIT.usage);
  if (scan.inexactNumbers)
    throw new CommandFailure('INVALID_ARGUMENTS', `${name} has a number that JSON does not carry exactly; write it as a text`, EXIT.usage);
  const value = parseJson(text);
  if (value !== undefined) return value;
  throw new CommandFailure(
    'INVALID_ARGUMENTS',
    `${name} is no JSON: ${excerpt(text)}; a text needs quotes of its own: '"text"'`,
    EXIT.usage,
  );
}

async function textOf(stdin: AsyncIterable<Buffer | string>, name: string): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stdin) {
    const data = typeof part === 'string' ? Buffer.from(part) : part;
    bytes += data.length;
    if (bytes > MOST_BYTES)
      throw new CommandFailure('INVALID_ARGUMENTS', `${name} on stdin is larger than ${MOST_BYTES} bytes`, EXIT.usage);
    parts.push(data);
  }
  return Buffer.concat(parts).toString();
}
