import { isRegistryId, REGISTRATIONS_PER_WORKER, REGISTRY_ID_BYTES } from '@rivulet/protocol';
import { sdkError } from '../api/errors.js';

export function checkUrl(text: string): void {
  let url: URL | undefined;
  try {
    // oxlint-disable-next-line eslint/no-restricted-globals -- inside a try; the application gave this address
    url = new URL(text);
  } catch {
    // The text is no URL. The check below refuses it.
  }
  if (url?.protocol !== 'ws:' && url?.protocol !== 'wss:')
    throw sdkError('INVALID_ARGUMENTS', 'the address of the engine must be a ws:// or wss:// URL, such as ws://localhost:49134');
  if (url.hash !== '') throw sdkError('INVALID_ARGUMENTS', 'the address of the engine must have no fragment (#)');
}

/** Returns whether the address is a `ws:` address of another machine, so that others can read the connection. Call `checkUrl` first. */
export function isReadableOnTheWay(text: string): boolean {
  // oxlint-disable-next-line eslint/no-restricted-globals -- checkUrl has parsed the same text
  const { protocol, hostname } = new URL(text);
  return protocol === 'ws:' && !/^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(hostname);
}

export function checkId(id: string): void {
  if (typeof id !== 'string' || id.trim() === '') throw sdkError('INVALID_ARGUMENTS', 'id is required');
  if (!isRegistryId(id)) throw sdkError('INVALID_ARGUMENTS', `the id is longer than ${REGISTRY_ID_BYTES} bytes`);
}

/** Throws for a misspelt `config`. A trigger without its config would fire for everything. */
export function checkTriggerKeys(trigger: object): void {
  const wrong = Object.keys(trigger).find((key) => key !== 'config' && /^conf/i.test(key));
  if (wrong !== undefined) throw sdkError('INVALID_ARGUMENTS', `unknown key "${wrong}" of a trigger; did you mean "config"?`);
}

/** Throws unless the handler is a function, or a description of an HTTP call. The types do not protect JavaScript programs. */
export function checkHandler(handler: unknown): void {
  if (typeof handler === 'function' || (typeof handler === 'object' && handler !== null && 'url' in handler)) return;
  throw sdkError('INVALID_ARGUMENTS', 'the handler must be a function, or an object with the url to call');
}

export function checkCallback(name: string, callback: unknown): void {
  if (typeof callback !== 'function') throw sdkError('INVALID_ARGUMENTS', `${name} must be a function`);
}

export function checkTimeout(timeoutMs: unknown, functionId?: string): void {
  if (typeof timeoutMs === 'number' && !Number.isNaN(timeoutMs)) return;
  throw sdkError('INVALID_ARGUMENTS', 'timeoutMs must be a number of milliseconds', functionId);
}

export function checkBound(size: number, what: string): void {
  if (size >= REGISTRATIONS_PER_WORKER) throw sdkError('OVERLOADED', `a worker registers at most ${REGISTRATIONS_PER_WORKER} ${what}`);
}
