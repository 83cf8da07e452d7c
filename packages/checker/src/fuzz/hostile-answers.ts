import type { Random } from '@rivulet/testkit/random';
import { strangeJson, strangeValue } from './strange.js';

/** Valid results of each function. */
const HONEST: Readonly<Record<string, (random: Random) => unknown>> = {
  'fz::auth': () => ({ context: { user: 'fz' } }),
  'fz::guest': () => ({ allowed_functions: GUEST_FUNCTIONS, allow_trigger_type_registration: true, context: { user: 'fz' } }),
  'fz::join': () => ({ lease: { item_id: 'lease', data: { a: 1 }, grace_ms: 0, client_data: true } }),
  'fz::http': (r) => ({ status_code: 200, headers: { 'x-a': 'b' }, body: { n: r.below(9) } }),
  'fz::hook': () => ({}),
  'stream::get(fzb)': () => ({ id: 'i' }),
  'stream::set(fzb)': () => ({ old_value: null, new_value: { id: 'i' } }),
  'stream::list(fzb)': () => [{ id: 'i' }, { id: 'j' }],
  'stream::list_groups(fzb)': () => ['a', 'b'],
};

/** Results that are wrong in a field that the engine reads: wrong types, large sizes, strange texts. */
const HOSTILE: Readonly<Record<string, (random: Random) => unknown>> = {
  'fz::auth': (r) => ({
    context: strangeValue(r),
    expires_at_ms: strangeValue(r),
    identity: strangeValue(r),
    unauthorized: r.chance(0.3) ? strangeValue(r) : null,
  }),
  'fz::guest': (r) => ({
    allowed_functions: r.chance(0.5) ? strangeValue(r) : GUEST_FUNCTIONS,
    forbidden_functions: [strangeValue(r)],
    allowed_trigger_types: strangeValue(r),
    function_registration_prefix: strangeValue(r),
    context: strangeValue(r),
    namespaces: { default: strangeValue(r), __proto__x: strangeValue(r) },
  }),
  'fz::join': (r) => ({
    unauthorized: r.chance(0.3) ? strangeValue(r) : false,
    lease: { item_id: strangeValue(r), data: strangeValue(r), grace_ms: strangeValue(r), client_data: strangeValue(r) },
  }),
  'fz::http': (r) => ({
    status_code: strangeValue(r),
    headers: r.chance(0.5)
      ? { [String(strangeValue(r))]: strangeValue(r), 'content-length': '5', 'x-b': strangeValue(r) }
      : [strangeValue(r), 'Content-Length: 1', 'Set-Cookie: a\r\nb: c'],
    body: strangeValue(r),
    action: r.pick(['respond', 'next', '']),
    response: strangeValue(r),
  }),
  'fz::hook': (r) => ({
    function_id: strangeValue(r),
    trigger_id: strangeValue(r),
    trigger_type: strangeValue(r),
    id: strangeValue(r),
    config: strangeValue(r),
    metadata: strangeValue(r),
  }),
};

const GUEST_FUNCTIONS = [
  'stream::set',
  'stream::get',
  'stream::list',
  'stream::update',
  'stream::delete',
  'stream::batch',
  'stream::send',
  'stream::list_groups',
  'state::set',
  'state::get',
  'fz::fn',
];

/** Ids of the functions that the hostile worker serves. */
export const HOSTILE_FUNCTIONS: readonly string[] = [
  ...Object.keys(HONEST),
  'fz::fn',
  'fz::cond',
  'fz::mw',
  'stream::update(fzb)',
  'stream::delete(fzb)',
];

/** Returns the text of the frame that answers a call; undefined for no answer. `mostly` is the probability of a valid result. */
export function answerTo(functionId: string, invocationId: string, random: Random, mostly: number): string | undefined {
  const head = { type: 'invocationresult', invocation_id: invocationId, function_id: functionId };
  const result = (value: unknown) => JSON.stringify({ ...head, result: value });
  if (random.chance(mostly)) return result((HONEST[functionId] ?? strangeValue)(random));
  switch (random.below(10)) {
    case 0:
      return JSON.stringify({
        ...head,
        error: random.chance(0.5) ? strangeValue(random) : { code: strangeValue(random), message: strangeValue(random), stacktrace: 's' },
      });
    case 1:
      return random.chance(0.1) ? undefined : result(null);
    case 2:
      return `{"type":"invocationresult","invocation_id":${JSON.stringify(invocationId)},"result":${strangeJson(random)}`;
    case 3:
      return result('x'.repeat(random.below(200_000)));
    case 4:
      return JSON.stringify({ ...head, result: strangeValue(random), error: strangeValue(random), traceparent: strangeValue(random) });
    case 5:
      return JSON.stringify(head);
    case 6:
    case 7:
      return result(strangeValue(random));
    default:
      return result((HOSTILE[functionId] ?? strangeValue)(random));
  }
}
