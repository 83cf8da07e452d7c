import { isJsonObject, isNamespace, type JsonText, namespaceRule, parseJson } from '@rivulet/protocol';
import { JsonPayload } from '../../core/fabric/invocation.js';
import { queryParameters } from '../../http/request/request-target.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError, errorAnswer, jsonAnswer, textAnswer } from '../answer.js';
import { callBuiltin, MOST_CALL_MS, outcomeAnswer, resultAnswer } from '../outcome.js';
import { PROCESS, readOnly, readWhole, refuseOthers } from '../page.js';
import type { RouteRow } from '../routes.js';
import { GROUP, sendPayload } from './group-routes.js';

const CALL_MS = 30_000;
const CALL = '/api/call/{function}';
const ITEM = '/api/streams/{stream}/groups/{group}/items/{item}';

/** The paths of `/api` that change something, and the one that reads an item. Changes need the full token and are logged. */
export function writeRoutes(parts: EngineParts): readonly RouteRow[] {
  const write = (method: RouteRow['method'], path: string, handle: (request: AdminRequest) => Answer | Promise<Answer>): RouteRow => ({
    method,
    path,
    need: 'full',
    // The engine cannot promise that a change takes effect before its stores close.
    handle: (request) =>
      parts.stage() === 'running' ? handle(request) : errorAnswer(503, 'ENGINE_STOPPING', 'the engine starts or stops'),
    ended: (request, status) => logWrite(parts, `${method} ${path}`, request, { status }),
  });
  return [
    { method: 'GET', path: ITEM, need: 'viewer', handle: (request) => getItem(parts, request) },
    write('PUT', ITEM, (request) => setItem(parts, request)),
    write('DELETE', ITEM, (request) => itemCall(parts, request, 'stream::delete', undefined)),
    write('POST', `${GROUP}/send`, (request) => send(parts, request)),
    write('POST', CALL, (request) => callFunction(parts, request)),
    write('POST', '/api/sessions/disconnect', (request) => disconnect(parts, request)),
  ];
}

/** Longest name in a line, in UTF-16 code units. A path may have longer ones, which the engine refuses. */
const LOGGED_CHARS = 256;

/** A line has ids, known parameters and the outcome, and never a value. */
function logWrite(
  { logger }: EngineParts,
  action: string,
  { parameters, query }: Pick<AdminRequest, 'parameters' | 'query'>,
  state: { readonly stage: 'started' } | { readonly status: number },
): void {
  const { timeout_ms, namespace } = queryParameters(query);
  const names = Object.entries({ ...parameters, timeout_ms, namespace }).map(([name, text]) => [name, text?.slice(0, LOGGED_CHARS)]);
  logger.info('admin_action', { action, ...Object.fromEntries(names.filter(([, text]) => text !== undefined)), ...state });
}

function getItem(parts: EngineParts, request: AdminRequest): Promise<Answer> {
  const { stream, group, item } = request.parameters;
  return itemCall(parts, request, 'stream::get', undefined, (data) =>
    data === undefined
      ? errorAnswer(404, 'NOT_FOUND', `${stream}/${group} has no item ${item}`)
      : textAnswer(200, `{"process":${JSON.stringify(PROCESS)},"id":${JSON.stringify(item)},"data":${data}}`),
  );
}

function setItem(parts: EngineParts, request: AdminRequest): Promise<Answer> {
  if (request.body.isEmpty) throw new AnswerError(400, 'deserialization_error', 'the body is empty; send the item as JSON');
  return itemCall(parts, request, 'stream::set', request.body.text);
}

function itemCall(
  { fabric }: EngineParts,
  { parameters, body, query }: AdminRequest,
  functionId: 'stream::get' | 'stream::set' | 'stream::delete',
  data: JsonText | undefined,
  answer: (result: JsonText | undefined) => Answer = resultAnswer('result'),
): Promise<Answer> {
  refuseOthers(queryParameters(query));
  const { stream, group, item } = parameters;
  const place = JSON.stringify({ stream_name: stream, group_id: group, item_id: item });
  const payload = JsonPayload.ofText(data === undefined ? place : `${place.slice(0, -1)},"data":${data}}`);
  return callBuiltin(fabric, { functionId, payload, inexactNumbers: body.inexact }, answer);
}

/** Publishes an event. The engine keeps no value of it. */
function send({ fabric }: EngineParts, request: AdminRequest): Promise<Answer> {
  readOnly(request.query);
  const payload = sendPayload(request);
  return callBuiltin(fabric, { functionId: 'stream::send', payload, inexactNumbers: request.body.inexact }, resultAnswer('result'));
}

async function callFunction(parts: EngineParts, request: AdminRequest): Promise<Answer> {
  const { parameters, query, body } = request;
  const { timeout_ms: timeout, namespace, ...others } = queryParameters(query);
  refuseOthers(others);
  if (namespace !== undefined && !isNamespace(namespace)) throw new AnswerError(400, 'INVALID_NAMESPACE', namespaceRule('namespace'));
  const milliseconds = timeout === undefined ? CALL_MS : readWhole('timeout_ms', timeout, MOST_CALL_MS);
  const call = {
    functionId: parameters.function ?? '',
    namespace,
    payload: JsonPayload.ofText(body.text),
    inexactNumbers: body.inexact,
  };
  // A function may run for minutes, or end the engine. The audit must know of it before.
  logWrite(parts, `POST ${CALL}`, request, { stage: 'started' });
  return outcomeAnswer(await parts.fabric.request(call, milliseconds), resultAnswer('result'));
}

function disconnect({ sessions, logger }: EngineParts, { query, body }: AdminRequest): Answer {
  readOnly(query);
  const input: unknown = parseJson(body.text);
  const { identity, session_id: sessionId, ...others } = isJsonObject(input) ? input : {};
  refuseOthers(Object.fromEntries(Object.keys(others).map((name) => [name, ''])));
  if (typeof identity === 'string' && sessionId === undefined) {
    const count = sessions.disconnect(identity);
    logger.info('sessions_disconnected', { by: 'admin', count, identity });
    return jsonAnswer(200, { disconnected: count });
  }
  if (typeof sessionId === 'string' && identity === undefined) {
    const count = Number(sessions.disconnectSession(sessionId));
    logger.info('sessions_disconnected', { by: 'admin', count, session: sessionId });
    return jsonAnswer(200, { disconnected: count });
  }
  throw new AnswerError(400, 'INVALID_ARGUMENTS', 'give either identity or session_id, as a text');
}
