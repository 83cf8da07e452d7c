import type { ErrorBody } from '../errors.js';
import type { JsonText } from '../json/json-text.js';

/** This file writes the frames of the engine to a worker as JSON text. It inserts values of the type `JsonText` without parsing them. */

export function encodeWorkerRegistered(workerId: string, reattachToken: string): string {
  return JSON.stringify({ type: 'workerregistered', worker_id: workerId, reattach_token: reattachToken });
}

export interface InvokeFrame {
  readonly invocationId: string;
  readonly functionId: string;
  readonly data: JsonText;
  readonly metadata?: unknown;
  /** The caller, sent as `_caller`. Absent for a trusted worker. SDK 0.25 has a `caller` of its own, so the name must differ. */
  readonly caller?: JsonText | undefined;
  /** Whether the payload of a page is the member `value` of `data`, because it is no object. Sent as `_wrapped`. @default false */
  readonly isWrapped?: boolean;
  readonly traceparent?: string | undefined;
  readonly baggage?: string | undefined;
}

/** Writes a call. It always has `data`, because Rust peers parse strictly (spec WP §1.2). */
export function encodeInvoke(frame: InvokeFrame): string {
  let text = `{"type":"invokefunction","invocation_id":${JSON.stringify(frame.invocationId)},"function_id":${JSON.stringify(frame.functionId)},"data":${frame.data}`;
  text += trace(frame);
  if (frame.metadata !== undefined && frame.metadata !== null) text += `,"metadata":${JSON.stringify(frame.metadata)}`;
  if (frame.caller !== undefined) text += `,"_caller":${frame.caller}`;
  if (frame.isWrapped === true) text += ',"_wrapped":true';
  return `${text}}`;
}

export interface ResultFrame {
  readonly invocationId: string;
  readonly functionId: string;
  readonly traceparent?: string | undefined;
  readonly baggage?: string | undefined;
}

/** Writes the answer to a call. If `result` is `undefined`, the frame has no `result`, which SDKs read as `undefined`. */
export function encodeResult(frame: ResultFrame, result: JsonText | undefined): string {
  const text = resultHead(frame);
  return `${result === undefined ? text : `${text},"result":${result}`}${trace(frame)}}`;
}

export function encodeError(frame: ResultFrame, error: ErrorBody): string {
  return `${resultHead(frame)},"error":${JSON.stringify(error)}${trace(frame)}}`;
}

function resultHead(frame: ResultFrame): string {
  return `{"type":"invocationresult","invocation_id":${JSON.stringify(frame.invocationId)},"function_id":${JSON.stringify(frame.functionId)}`;
}

function trace(frame: { readonly traceparent?: string | undefined; readonly baggage?: string | undefined }): string {
  let text = '';
  if (frame.traceparent !== undefined) text += `,"traceparent":${JSON.stringify(frame.traceparent)}`;
  if (frame.baggage !== undefined) text += `,"baggage":${JSON.stringify(frame.baggage)}`;
  return text;
}

/** A binding that the engine sends to the provider of the trigger type. */
export interface BindingFrame {
  readonly id: string;
  readonly type: string;
  readonly functionId: string;
  /** The namespace of the function. Absent for `default`. */
  readonly namespace?: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: unknown;
}

export function encodeRegisterTrigger(binding: BindingFrame): string {
  return encodeBinding('registertrigger', binding);
}

export function encodeUnregisterTrigger(binding: BindingFrame): string {
  return encodeBinding('unregistertrigger', binding);
}

function encodeBinding(type: string, binding: BindingFrame): string {
  return JSON.stringify({
    type,
    id: binding.id,
    trigger_type: binding.type,
    function_id: binding.functionId,
    config: binding.config,
    ...(binding.namespace === undefined || binding.namespace === 'default' ? {} : { namespace: binding.namespace }),
    ...(binding.metadata === undefined ? {} : { metadata: binding.metadata }),
  });
}

export function encodeTriggerResult(id: string, triggerType: string, functionId: string, error: ErrorBody): string {
  return JSON.stringify({ type: 'triggerregistrationresult', id, trigger_type: triggerType, function_id: functionId, error });
}

/** Writes the refusal for a client whose upgrade was completed only to send this frame (spec RB §5.2). */
export function encodeAuthError(message: string): string {
  return JSON.stringify({ type: 'error', error: { code: 'AUTH_ERROR', message } });
}

export const PONG_TEXT = '{"type":"pong"}';
