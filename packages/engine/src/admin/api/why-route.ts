import type { EngineParts } from '../../metrics/engine-parts.js';
import { requireId } from '../../store/shared/ids.js';
import { textOf } from '../../why/answer-text.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError, jsonAnswer } from '../answer.js';
import { PROCESS, readOnly } from '../page.js';
import type { RouteRow } from '../routes.js';

/** Longest name of a session, an identity or an address. */
const MOST_SESSION_CHARS = 1_024;

/** The path that says why a client did not get a change. It needs the viewer's token. */
export function whyRoutes(parts: EngineParts): readonly RouteRow[] {
  return [{ method: 'GET', path: '/api/why', need: 'viewer', handle: (request) => why(parts, request) }];
}

async function why({ streams }: EngineParts, { query }: AdminRequest): Promise<Answer> {
  const parameters = readOnly(query, 'session', 'stream', 'group', 'item', 'offset');
  const { stream, group, item, offset } = parameters;
  const session = required('session', parameters.session);
  if (session.length > MOST_SESSION_CHARS) throw new AnswerError(400, 'INVALID_ARGUMENTS', 'session is too long');
  const question = {
    session,
    stream: nameOf('stream', required('stream', stream)),
    group: nameOf('group', required('group', group)),
    item: item === undefined || item === '' ? undefined : nameOf('item', item),
    offset: offset === undefined || offset === '' ? undefined : offsetOf(offset),
  };
  if (streams?.why === undefined) throw new AnswerError(404, 'NOT_FOUND', 'this engine has no streams');
  const answer = await streams.why.explain(question);
  return jsonAnswer(200, { process: PROCESS, ...answer, text: textOf(answer) });
}

function required(name: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new AnswerError(400, 'INVALID_ARGUMENTS', `${name} is missing`);
  return value;
}

function offsetOf(text: string): number {
  const offset = Number(text);
  if (!/^\d{1,16}$/.test(text) || offset < 1 || !Number.isSafeInteger(offset))
    throw new AnswerError(400, 'INVALID_ARGUMENTS', 'offset must be a whole number from 1');
  return offset;
}

function nameOf(name: string, value: string): string {
  requireId(value, name);
  return value;
}
