import { decodeQuery } from '../core/access/upgrade-input.js';
import type { UpgradeRequest } from '../transport/listener.js';
import type { AuthDecision, AuthGate } from './auth-gate.js';

export type Access = Extract<AuthDecision, { kind: 'allowed' }>;

/** What a session may do, and how it asks for more time. */
export interface SessionAccess {
  readonly now: Access;
  /** Asks the auth function again, with this token in the place of the one that the upgrade had (rule RV-14). Absent: nobody decides. */
  readonly refresh?: (token: string) => Promise<AuthDecision>;
}

/** The same upgrade with another token. */
export function refreshAccess(gate: AuthGate, request: UpgradeRequest): (token: string) => Promise<AuthDecision> {
  const { path, headers, protocols, remoteAddress, remotePort } = request;
  const { token: _, ...others } = decodeQuery(request.rawQuery);
  const rest = Object.entries(others).flatMap(([key, values]) => values.map((value) => pair(key, value)));
  return (token) =>
    gate.decide({ path, headers, protocols, remoteAddress, remotePort, rawQuery: [...rest, pair('token', token)].join('&') });
}

function pair(key: string, value: string): string {
  return `${encodeURIComponent(key)}=${encodeURIComponent(value)}`;
}
