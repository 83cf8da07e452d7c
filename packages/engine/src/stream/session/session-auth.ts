import { percentEncode } from '@rivulet/protocol';
import type { SessionDirectory } from '../../core/revocation/session-directory.js';
import { decodeQuery } from '../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../transport/upgrade/upgrade-request.js';
import type { AuthDecision, AuthGate } from './auth-gate.js';

/** The decision for an identity that an operator disconnected while the auth function decided. */
export const REVOKED: AuthDecision = { kind: 'refused', status: 401, close: 'revoked', reason: 'revoked', by: 'operator' };

/** Calls the auth function again for one connection, with another token. */
export type DecideAgain = (token: string) => Promise<AuthDecision>;

/** The access of a stream session, and the way to renew it. */
export interface SessionAuth {
  readonly now: Extract<AuthDecision, { kind: 'allowed' }>;
  /** Absent without an auth function. */
  readonly decideAgain?: DecideAgain;
}

/** Returns a function that decides about the same upgrade with another token (rule RV-14). */
export function decideAgain(gate: AuthGate, request: UpgradeRequest, directory: SessionDirectory): DecideAgain {
  const { token: _, ...others } = decodeQuery(request.rawQuery);
  const rest = Object.entries(others).flatMap(([key, values]) => values.map((value) => pair(key, value)));
  return async (token) => {
    const rawQuery = [...rest, pair('token', token)].join('&');
    const { answer, revoked } = await directory.ask(() => gate.decide({ ...request, rawQuery }, token));
    // An operator has disconnected the identity while the auth function decided.
    if (answer.kind === 'allowed' && revoked(answer.identity)) return REVOKED;
    return answer;
  };
}

function pair(key: string, value: string): string {
  return `${percentEncode(key)}=${percentEncode(value)}`;
}

/** The refreshes of one session. They run one at a time. When several tokens come meanwhile, only the newest counts. */
export class Refreshes {
  readonly #decideAgain: DecideAgain;
  readonly #decided: (decision: AuthDecision) => void;
  readonly #failed: (error: unknown) => void;
  #running = false;
  #next: string | undefined;

  /** `failed` runs when the call fails. Then the session must end, because its old access may be over. */
  constructor(ask: DecideAgain, decided: (decision: AuthDecision) => void, failed: (error: unknown) => void) {
    this.#decideAgain = ask;
    this.#decided = decided;
    this.#failed = failed;
  }

  /** Decides about a token, after the refresh that runs now. */
  refresh(token: string): void {
    this.#next = token;
    if (!this.#running) this.#run().catch(this.#failed);
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      for (let token = this.#next; token !== undefined; token = this.#next) {
        this.#next = undefined;
        this.#decided(await this.#decideAgain(token));
      }
    } finally {
      this.#running = false;
    }
  }
}
