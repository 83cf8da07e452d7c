import { decodeQuery } from '../core/access/upgrade-input.js';
import type { UpgradeRequest } from '../transport/listener.js';
import type { AuthDecision, AuthGate } from './auth-gate.js';

/** Asks the auth function again about one connection, with another token. */
export type AskAgain = (token: string) => Promise<AuthDecision>;

/** What a session may do, and how it asks for more time. */
export interface SessionAccess {
  readonly now: Extract<AuthDecision, { kind: 'allowed' }>;
  /** Absent: nobody decides. */
  readonly askAgain?: AskAgain;
}

/** The same upgrade with another token in the place of the one that it had (rule RV-14). */
export function askAgain(gate: AuthGate, request: UpgradeRequest): AskAgain {
  const { token: _, ...others } = decodeQuery(request.rawQuery);
  const rest = Object.entries(others).flatMap(([key, values]) => values.map((value) => pair(key, value)));
  return (token) => gate.decide({ ...request, rawQuery: [...rest, pair('token', token)].join('&') });
}

function pair(key: string, value: string): string {
  return `${encodeURIComponent(key)}=${encodeURIComponent(value)}`;
}

/** The refreshes of one session: one at a time; of the tokens that come meanwhile the newest counts. */
export class Refreshes {
  readonly #ask: AskAgain;
  readonly #decided: (decision: AuthDecision) => void;
  #running = false;
  #next: string | undefined;

  constructor(ask: AskAgain, decided: (decision: AuthDecision) => void) {
    this.#ask = ask;
    this.#decided = decided;
  }

  refresh(token: string): void {
    this.#next = token;
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let token = this.#next; token !== undefined; token = this.#next) {
      this.#next = undefined;
      this.#decided(await this.#ask(token));
    }
    this.#running = false;
  }
}
