import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type AddressRanges, addressGroup, plainAddress } from '../../structures/ip-address.js';

/** Where a request comes from: the peer of the socket, or the client that a trusted proxy names. */
export interface ClientAddress {
  /** IPv4 addresses are never in their IPv6 form. */
  readonly address: string;
  /** 0 when a proxy names the client without a port. */
  readonly port: number;
  /** The key by which limits count clients: an IPv4 address, or the /64 network of an IPv6 address. */
  readonly group: string;
  /** How the client reached the trusted proxy; `undefined` when no trusted proxy says it. */
  readonly scheme: 'http' | 'https' | undefined;
}

/** Returns where a request comes from. `X-Forwarded-For` and `X-Forwarded-Proto` count only when the peer is a trusted proxy. */
export function clientAddress(request: Pick<IncomingMessage, 'headers' | 'socket'>, trusted: AddressRanges): ClientAddress {
  const { remoteAddress = '', remotePort = 0 } = request.socket;
  const peer = plainAddress(remoteAddress);
  if (!trusted.contains(peer)) return { address: peer, port: remotePort, group: addressGroup(peer), scheme: undefined };
  const { address, port } = forwardedFor(lineOf(request.headers['x-forwarded-for']), trusted) ?? { address: peer, port: remotePort };
  return { address, port, group: addressGroup(address), scheme: schemeOf(lineOf(request.headers['x-forwarded-proto'])) };
}

interface Hop {
  readonly address: string;
  readonly port: number;
}

/**
 * The rightmost entry that is no trusted proxy: each proxy appends the peer that it saw, and whatever stands left of that entry the
 * client may have written itself. When all are trusted, the leftmost one.
 */
function forwardedFor(line: string, trusted: AddressRanges): Hop | undefined {
  let client: Hop | undefined;
  for (let end = line.length; end > 0; ) {
    const comma = line.lastIndexOf(',', end - 1);
    const hop = readHop(line.slice(comma + 1, end).trim());
    // An entry that is no address says nothing of who stands left of it.
    if (hop === undefined) return client;
    client = hop;
    if (!trusted.contains(hop.address)) return client;
    end = comma;
  }
  return client;
}

/** `1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1` or `[2001:db8::1]:5678`. */
function readHop(entry: string): Hop | undefined {
  if (isIP(entry) !== 0) return { address: plainAddress(entry), port: 0 };
  const found = /^(?:\[([\da-f:.]{2,45})\]|([\d.]{7,15}))(?::(\d{1,5}))?$/i.exec(entry);
  const address = found?.[1] ?? found?.[2] ?? '';
  return isIP(address) === 0 ? undefined : { address: plainAddress(address), port: Number(found?.[3] ?? 0) };
}

/** The entry of the nearest proxy, which is the trusted one. */
function schemeOf(line: string): 'http' | 'https' | undefined {
  const scheme = line
    .slice(line.lastIndexOf(',') + 1)
    .trim()
    .toLowerCase();
  return scheme === 'http' || scheme === 'https' ? scheme : undefined;
}

function lineOf(header: string | string[] | undefined): string {
  return Array.isArray(header) ? header.join(',') : (header ?? '');
}
