import { TOKEN_REFUSALS, type TokenRefusal } from './token-refusal.js';

/** The end of a check: `known` is a token that was right lately, so that its signature was not checked again. */
export type TokenOutcome = 'right' | 'known' | 'refused' | 'undecided';

/** The end of a request to a key server: its keys are new, the same as before, or could not be read. */
export type FetchOutcome = 'replaced' | 'unchanged' | 'failed';

/** Counts of one listener that checks tokens. They only grow. */
export class TokenCounts {
  readonly checks: Record<TokenOutcome, number> = { right: 0, known: 0, refused: 0, undecided: 0 };
  readonly refusals: Record<TokenRefusal, number>;
  readonly fetches: Record<FetchOutcome, number> = { replaced: 0, unchanged: 0, failed: 0 };

  constructor() {
    const reasons = Object.keys(TOKEN_REFUSALS).map((reason) => [reason, 0]);
    this.refusals = Object.fromEntries(reasons) as Record<TokenRefusal, number>;
  }
}
