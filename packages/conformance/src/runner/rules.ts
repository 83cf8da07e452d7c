import { readFileSync } from 'node:fs';

export interface Rule {
  readonly id: string;
  readonly title: string;
}

/** Every rule of the protocol, in order. The same list counts the rules that have a test (`npm run rules`). */
export const RULES: readonly Rule[] = JSON.parse(readFileSync(new URL('../../rules.json', import.meta.url), 'utf8')) as readonly Rule[];
