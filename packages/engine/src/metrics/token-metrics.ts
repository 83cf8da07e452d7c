import type { TokenCounts } from '../core/jwt/token-counts.js';
import type { EngineParts } from './engine-parts.js';
import type { Metric, Sample } from './metric-table.js';

/** Returns a reader of counts of all listeners that check tokens, together. Without such a listener the metric is absent. */
const ofTokens = <Name extends string>(label: string, read: (counts: TokenCounts) => Readonly<Record<Name, number>>) => {
  return ({ streams, gateways }: EngineParts): readonly Sample[] | undefined => {
    const counts = [streams?.jwt, ...gateways.map(({ jwt }) => jwt)].flatMap((jwt) => (jwt === undefined ? [] : [read(jwt.counts)]));
    const [first] = counts;
    if (first === undefined) return undefined;
    const names = Object.keys(first) as Name[];
    return names.map((name) => ({ labels: { [label]: name }, value: counts.reduce((sum, each) => sum + each[name], 0) }));
  };
};

/** Metrics of the check of tokens. */
export const TOKEN_METRICS: readonly Metric[] = [
  {
    name: 'rivulet_tokens_checked_total',
    type: 'counter',
    labels: { result: '`right`, `known`, `refused`, `undecided`' },
    unit: 'tokens',
    help: 'Checks of tokens of `auth.jwt`. `known`: the same token was right lately, so its signature was not checked again',
    read: ofTokens('result', ({ checks }) => checks),
  },
  {
    name: 'rivulet_tokens_refused_total',
    type: 'counter',
    labels: { reason: 'a [reason](jwt.md#why-a-token-is-refused), such as `token_expired`' },
    unit: 'tokens',
    help: 'Tokens that let nobody in, by reason',
    read: ofTokens('reason', ({ refusals }) => refusals),
  },
  {
    name: 'rivulet_token_key_fetches_total',
    type: 'counter',
    labels: { result: '`replaced`, `unchanged`, `failed`' },
    unit: 'requests',
    help: 'Requests to key servers (`jwks_url`) that have ended: the keys are new, the same as before, or could not be read',
    alert: '`result="failed"` above 3 in 30 minutes: known keys end an hour after the last good document',
    read: ofTokens('result', ({ fetches }) => fetches),
  },
];
