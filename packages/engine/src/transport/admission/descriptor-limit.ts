import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

const LEAST_RESERVE = 16;
const MOST_RESERVE = 256;

/** Descriptors of this process. */
export interface DescriptorLimit {
  /** Descriptors that the process may have open. */
  readonly limit: number;
  /** Descriptors from this number on are kept for files and for connections that the engine opens itself. */
  readonly reservedFrom: number;
}

/** Returns the bound that the system has set for this process; `undefined` where it can't be read. */
export function readDescriptorLimit(): DescriptorLimit | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : descriptorLimit(Number(soft));
  } catch {
    return undefined;
  }
}

/** Keeps one descriptor in 32 back, at least 16 and at most 256. */
export function descriptorLimit(limit: number): DescriptorLimit {
  const reserve = Math.min(MOST_RESERVE, Math.max(LEAST_RESERVE, Math.floor(limit / 32)));
  return { limit, reservedFrom: limit - reserve };
}

/**
 * Returns whether the descriptor of this new connection lies in the reserve. The system gives out the lowest free number, so nearly all
 * below it are in use then. When none is left, libuv closes new connections without any event; the reserve makes the engine see them.
 */
export function takesReserve(socket: Socket, limit: DescriptorLimit | undefined): boolean {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
  return limit !== undefined && (handle?.fd ?? -1) >= limit.reservedFrom;
}
