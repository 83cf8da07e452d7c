import type { IncomingMessage } from 'node:http';
import { type JsonText, LIMITS } from '@rivulet/protocol';
import { BodyBuffer } from '../http/request/body-buffer.js';
import { readLargeJson } from '../http/request/json-body.js';
import type { ByteBudget } from '../structures/byte-budget.js';
import type { TurnBudget } from '../structures/turn-budget.js';
import { AnswerError } from './answer.js';

/** The JSON of a write. An empty body is `null`. */
export interface AdminBody {
  readonly text: JsonText;
  /** The text has numbers that a double cannot represent exactly. */
  readonly inexact: boolean;
  /** The body had no JSON at all, not even `null`. */
  readonly isEmpty: boolean;
  /** Bytes that the body has taken from the budget. The caller gives them back after the answer. */
  readonly taken: number;
}

const BLANK = /^[ \t\r\n]*$/;
const NULL = /^[ \t\r\n]*(?:null[ \t\r\n]*)?$/;

/**
 * Receives the JSON body of a write. Rejects with `AnswerError` when it is no JSON, is too large, or finds no memory in the budget of all
 * bodies. The listener ends a body that takes longer than `LIMITS.adminRequestMs`.
 */
export async function readBody(request: IncomingMessage, budget: ByteBudget, turns: TurnBudget): Promise<AdminBody> {
  if (!/^application\/json *(?:;|$)/i.test(request.headers['content-type']?.trim() ?? ''))
    throw new AnswerError(415, 'INVALID_ARGUMENTS', 'a write needs Content-Type: application/json');
  let taken = 0;
  try {
    const bytes = await receive(request, (more) => {
      if (!budget.take(more)) return false;
      taken += more;
      return true;
    });
    const read = await readLargeJson(bytes, turns);
    if (read.kind === 'too_large') throw new AnswerError(413, 'BODY_TOO_LARGE', read.reason);
    const isNull = read.text === 'null';
    const start = isNull ? bytes.toString('latin1', 0, 64) : '';
    // The reader returns `null` for bytes that are no JSON. Such a body must not delete or overwrite anything.
    if (isNull && !(bytes.length < 64 && NULL.test(start))) throw new AnswerError(400, 'deserialization_error', 'the body is no JSON');
    return { text: read.text, inexact: read.inexact, isEmpty: isNull && BLANK.test(start), taken };
  } catch (error) {
    budget.give(taken);
    throw error;
  }
}

async function receive(request: IncomingMessage, take: (bytes: number) => boolean): Promise<Buffer> {
  const tooLarge = () => new AnswerError(413, 'BODY_TOO_LARGE', `the body has more than ${LIMITS.adminBodyBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > LIMITS.adminBodyBytes) throw tooLarge();
  const buffer = new BodyBuffer(LIMITS.adminBodyBytes, take);
  // The client must get the answer, so the loop leaves the connection open.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const appended = buffer.append(piece);
    if (appended === 'too_large') throw tooLarge();
    if (appended === 'no_room')
      throw new AnswerError(503, 'OVERLOADED', `the bodies of open requests have ${LIMITS.adminBodiesBytes} bytes; try again later`);
  }
  return buffer.content;
}
