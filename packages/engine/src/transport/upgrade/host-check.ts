import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { isLoopback, plainAddress } from '../../structures/ip-address.js';

export interface HostRule {
  /** Names and addresses that `Host` may have in addition to those of this machine. */
  readonly allowed: readonly string[];
  /** Whether a listener on loopback checks `Host` even if `allowed` is empty. This stops pages whose name was rebound to 127.0.0.1. */
  readonly guardsLoopback: boolean;
}

/** Returns whether the `Host` of a request names this listener, which is bound to `boundTo`. */
export function isHostAllowed(request: Pick<IncomingMessage, 'rawHeaders'>, rule: HostRule, boundTo: string): boolean {
  if (rule.allowed.length === 0 && !(rule.guardsLoopback && isLoopback(boundTo))) return true;
  const name = hostName(onlyHost(request.rawHeaders));
  if (name === undefined) return false;
  return isOfThisMachine(name) || name === plainAddress(boundTo) || rule.allowed.some((allowed) => hostName(allowed) === name);
}

/**
 * Returns whether `Host` is a loopback name, any IP address, or in `allowed`. No attacker can bind an address to another machine, and the
 * probes of orchestrators use addresses.
 */
export function isHostNamed(request: Pick<IncomingMessage, 'rawHeaders'>, allowed: readonly string[]): boolean {
  const name = hostName(onlyHost(request.rawHeaders));
  if (name === undefined) return false;
  return isIP(name) !== 0 || isOfThisMachine(name) || allowed.some((each) => hostName(each) === name);
}

/** Returns whether no attacker can bind this name to another machine. */
function isOfThisMachine(name: string): boolean {
  if (isIP(name) !== 0) return name === '127.0.0.1' || (name.includes(':') && isLoopback(name));
  return name === 'localhost' || /[^.]\.localhost$/.test(name);
}

/** Returns the value of the header if the request has exactly one, else the empty string. */
function onlyHost(rawHeaders: readonly string[]): string {
  const values = rawHeaders.filter((_value, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'host');
  return values.length === 1 ? (values[0] ?? '') : '';
}

/**
 * Returns the name or address of a `Host` in lower case, without port, brackets and trailing dot. Returns `undefined` for any other text.
 */
function hostName(host: string): string | undefined {
  const found = /^(?:\[([\da-f:.]{2,45})\]|([\w.-]{1,255}))(?::\d{0,5})?$/i.exec(host);
  if (found?.[1] !== undefined) return isIP(found[1]) === 6 ? plainAddress(found[1]) : undefined;
  const name = found?.[2]?.toLowerCase().replace(/\.$/, '');
  return name === '' ? undefined : name;
}
