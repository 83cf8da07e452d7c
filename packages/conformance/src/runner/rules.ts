import { readFileSync } from 'node:fs';

export interface Rule {
  readonly id: string;
  readonly title: string;
}

/** All rules of the protocol in order. `npm run rules` uses the same list to find rules without a test. */
export const RULES: readonly Rule[] = JSON.parse(readFileSync(new URL('../../rules.json', import.meta.url), 'utf8')) as readonly Rule[];
