import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type AddressRanges, addressGroup, plainAddress } from '../../structures/ip-address.js';

/** The origin of a request: the peer of the socket, or the client that a trusted proxy names. */
export interface ClientAddress {
  /** Address of the client. An IPv4 address is never in its IPv6 form. */
  readonly address: string;
  /** Port of the client, or 0 when a proxy names none. */
  readonly port: number;
  /** The key by which limits count clients: an IPv4 address, or the /64 network of an IPv6 address. */
  readonly group: string;
  /** Scheme by which the client reached the trusted proxy. `undefined` when no trusted proxy names it. */
  readonly scheme: 'http' | 'https' | undefined;
}

/** Returns the origin of a request. `X-Forwarded-For` and `X-Forwarded-Proto` count only when the peer is a trusted proxy. */
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
 * Returns the rightmost entry that is no trusted proxy. Each proxy appends the peer that it saw, so the client may have invented everything
 * to the left of that entry. If all entries are trusted, the leftmost one counts.
 */
function forwardedFor(line: string, trusted: AddressRanges): Hop | undefined {
  let client: Hop | undefined;
  for (let end = line.length; end > 0; ) {
    const comma = line.lastIndexOf(',', end - 1);
    const hop = readHop(line.slice(comma + 1, end).trim());
    // An entry that is no address makes the entries to its left worthless.
    if (hop === undefined) return client;
    client = hop;
    if (!trusted.contains(hop.address)) return client;
    end = comma;
  }
  return client;
}

/** Reads `1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1` or `[2001:db8::1]:5678`. */
function readHop(entry: string): Hop | undefined {
  if (isIP(entry) !== 0) return { address: plainAddress(entry), port: 0 };
  const found = /^(?:\[([\da-f:.]{2,45})\]|([\d.]{7,15}))(?::(\d{1,5}))?$/i.exec(entry);
  const address = found?.[1] ?? found?.[2] ?? '';
  return isIP(address) === 0 ? undefined : { address: plainAddress(address), port: Number(found?.[3] ?? 0) };
}

/** Returns the last entry. It comes from the nearest proxy, which is the trusted one. */
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
