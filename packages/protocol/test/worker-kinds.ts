import { decodeWorkerMessage } from '../src/decode/decode-worker.js';
import type { Undecodable } from '../src/decode/decoded.js';
import { namespaceRule } from '../src/json/json-fields.js';
import { LIMITS } from '../src/limits.js';
import type { WorkerMessage } from '../src/messages/worker-messages.js';

export type Frame = Readonly<Record<string, unknown>>;

export const decode = (frame: unknown) => decodeWorkerMessage(JSON.stringify(frame));
export const refused = (reason: string, code = 'deserialization_error'): Undecodable => ({ kind: 'invalid', code, reason }) as Undecodable;

export const ID = refused('id must be a string within bounds');
export const TRIGGER_TYPE = refused('trigger_type must be a string within bounds', 'trigger_registration_failed');
export const TRIGGER_FUNCTION = refused('function_id must be a string within bounds', 'trigger_registration_failed');
/** The parts of the frame that can be read. The answer to the registrant repeats them. */
export const answerable = (refusal: Undecodable, unread: object = {}): Undecodable =>
  ({ ...refusal, trigger: { id: 't1', type: 'stream', functionId: 'chat::onMessage', ...unread } }) as Undecodable;
export const TRIGGER_CONFIG = refused('config must be an object', 'trigger_registration_failed');

const NOT_TEXT: readonly unknown[] = [0, -1.5, true, false, [], ['a'], {}, { a: 'b' }];
const NO_NAMESPACE: readonly unknown[] = [...NOT_TEXT, '', ' ', '\n', 'x'.repeat(257), 'é'.repeat(129), '\ud800', 'a\u0000'];
const namespaceRefusal = (key: string) => refused(namespaceRule(key), 'INVALID_NAMESPACE');
const NOT_OBJECT: readonly unknown[] = [0, true, 'text', [], [{}]];
export const TOO_LONG = 'x'.repeat(LIMITS.registryIdBytes + 1);

interface Kind {
  /** A frame with every key that the message may have. */
  readonly frame: Frame;
  /** The message that the frame becomes. */
  readonly message: WorkerMessage;
  /** The value for an absent or `null` key, and the types that are wrong. A key that is missing here may have any JSON value. */
  readonly keys: Readonly<Record<string, { readonly absent: unknown; readonly wrong?: readonly unknown[]; readonly whenWrong?: unknown }>>;
}

const text = (absent: unknown) => ({ absent, wrong: NOT_TEXT, whenWrong: absent });

export const KINDS: readonly Kind[] = [
  {
    frame: {
      type: 'registerfunction',
      id: 'chat::send',
      description: 'Sends.',
      request_format: { type: 'object' },
      response_format: [1],
      metadata: { internal: true },
      invocation: { url: 'http://127.0.0.1/' },
    },
    message: {
      type: 'registerfunction',
      id: 'chat::send',
      description: 'Sends.',
      request_format: { type: 'object' },
      response_format: [1],
      metadata: { internal: true },
      invocation: { url: 'http://127.0.0.1/' },
    },
    keys: {
      id: text(ID),
      description: text(null),
      request_format: { absent: null },
      response_format: { absent: null },
      metadata: { absent: null },
      invocation: { absent: undefined },
    },
  },
  {
    frame: { type: 'unregisterfunction', id: 'chat::send' },
    message: { type: 'unregisterfunction', id: 'chat::send' },
    keys: { id: text(ID) },
  },
  {
    frame: {
      type: 'registertriggertype',
      id: 'webhook',
      description: 'Hooks.',
      trigger_request_format: { a: 1 },
      call_request_format: 'any',
    },
    message: {
      type: 'registertriggertype',
      id: 'webhook',
      description: 'Hooks.',
      trigger_request_format: { a: 1 },
      call_request_format: 'any',
    },
    keys: { id: text(ID), description: text(''), trigger_request_format: { absent: null }, call_request_format: { absent: null } },
  },
  {
    frame: { type: 'unregistertriggertype', id: 'webhook' },
    message: { type: 'unregistertriggertype', id: 'webhook' },
    keys: { id: text(ID) },
  },
  {
    frame: {
      type: 'registertrigger',
      id: 't1',
      trigger_type: 'stream',
      function_id: 'chat::onMessage',
      config: { stream_name: 'chat' },
      metadata: { k: 1 },
      namespace: 'tenant',
      trigger_namespace: 'other',
    },
    message: {
      type: 'registertrigger',
      id: 't1',
      trigger_type: 'stream',
      function_id: 'chat::onMessage',
      config: { stream_name: 'chat' },
      metadata: { k: 1 },
      namespace: 'tenant',
      trigger_namespace: 'other',
    },
    keys: {
      id: text(ID),
      trigger_type: text(answerable(TRIGGER_TYPE, { type: '' })),
      function_id: text(answerable(TRIGGER_FUNCTION, { functionId: '' })),
      config: { absent: {}, wrong: NOT_OBJECT, whenWrong: answerable(TRIGGER_CONFIG) },
      metadata: { absent: undefined },
      namespace: { absent: undefined, wrong: NO_NAMESPACE, whenWrong: answerable(namespaceRefusal('namespace')) },
      trigger_namespace: { absent: undefined, wrong: NO_NAMESPACE, whenWrong: answerable(namespaceRefusal('trigger_namespace')) },
    },
  },
  {
    frame: { type: 'unregistertrigger', id: 't1', trigger_type: 'stream' },
    message: { type: 'unregistertrigger', id: 't1', trigger_type: 'stream' },
    keys: { id: text(ID), trigger_type: text(undefined) },
  },
  {
    frame: {
      type: 'triggerregistrationresult',
      id: 't1',
      trigger_type: 'webhook',
      function_id: 'orders::hook',
      error: { code: 'bad_url', message: 'no host', stacktrace: 'at x' },
    },
    message: {
      type: 'triggerregistrationresult',
      id: 't1',
      trigger_type: 'webhook',
      function_id: 'orders::hook',
      error: { code: 'bad_url', message: 'no host', stacktrace: 'at x' },
    },
    keys: { id: text(ID), trigger_type: text(''), function_id: text(''), error: { absent: undefined } },
  },
  {
    frame: { type: 'registerservice', id: 's1', name: 'Orders', description: 'All of it.', parent_service_id: 's0' },
    message: { type: 'registerservice', id: 's1', name: 'Orders', description: 'All of it.', parent_service_id: 's0' },
    keys: { id: text(ID), name: text('s1'), description: text(null), parent_service_id: text(null) },
  },
  {
    frame: {
      type: 'invokefunction',
      function_id: 'chat::list',
      invocation_id: 'i1',
      data: { room: 'r1' },
      traceparent: '00-a',
      baggage: 'k=v',
      action: { type: 'void' },
      metadata: { tenant: 'acme' },
      namespace: 'default',
    },
    message: {
      type: 'invokefunction',
      invocation_id: 'i1',
      function_id: 'chat::list',
      data: { room: 'r1' },
      traceparent: '00-a',
      baggage: 'k=v',
      action: { type: 'void' },
      metadata: { tenant: 'acme' },
      namespace: 'default',
      inexactNumbers: false,
    },
    keys: {
      invocation_id: text(undefined),
      // WP-5: a void call gets no answer.
      function_id: text(refused('function_id must be a string')),
      data: { absent: null },
      traceparent: text(undefined),
      baggage: text(undefined),
      action: { absent: undefined },
      metadata: { absent: undefined },
      namespace: { absent: undefined, wrong: NO_NAMESPACE, whenWrong: namespaceRefusal('namespace') },
    },
  },
  {
    frame: {
      type: 'invocationresult',
      invocation_id: 'i1',
      function_id: 'chat::list',
      result: [1],
      error: { code: 'E', message: 'no' },
      traceparent: '00-a',
      baggage: 'k=v',
    },
    message: {
      type: 'invocationresult',
      invocation_id: 'i1',
      function_id: 'chat::list',
      result: [1],
      error: { code: 'E', message: 'no' },
      traceparent: '00-a',
      baggage: 'k=v',
    },
    keys: {
      invocation_id: text(undefined),
      function_id: text(''),
      result: { absent: undefined },
      error: { absent: undefined },
      traceparent: text(undefined),
      baggage: text(undefined),
    },
  },
  {
    frame: { type: 'reattach', previous_worker_id: 'w0', reattach_token: 'secret' },
    message: { type: 'reattach', previous_worker_id: 'w0', reattach_token: 'secret' },
    keys: { previous_worker_id: text(refused('previous_worker_id must be a string')), reattach_token: text(undefined) },
  },
  { frame: { type: 'ping' }, message: { type: 'ping' }, keys: {} },
  { frame: { type: 'pong' }, message: { type: 'pong' }, keys: {} },
];

/** The expected result. A refusal is the whole result. Any other value is the value of the key. */
export function answerWith(kind: Kind, key: string, outcome: unknown): unknown {
  const isRefusal = typeof outcome === 'object' && outcome !== null && 'kind' in outcome;
  return isRefusal ? outcome : { kind: 'message', message: { ...kind.message, [key]: outcome } };
}
