import { parseArgs } from 'node:util';
import { count } from '../command-line.js';
import { FAULTS } from './faults.js';
import { STORES, type StoreKind } from './target.js';

export interface FuzzArguments {
  readonly messages: number;
  readonly seed: number;
  readonly from: number;
  readonly round: number;
  readonly stores: readonly StoreKind[];
  readonly fault: string | undefined;
}

export const USAGE = `usage: npm run fuzz -- [--messages 300000] [--seed RANDOM] [--from 0] [--round 25000] [--store ${STORES.join('|')}]
       npm run fuzz -- --fault ${Object.keys(FAULTS).join('|')}`;

/** Parses the arguments of the command. Throws an error with a message for the user when one is invalid. */
export function readFuzzArguments(args: readonly string[], randomSeed: number): FuzzArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      messages: { type: 'string', default: '300000' },
      seed: { type: 'string', default: String(randomSeed) },
      from: { type: 'string', default: '0' },
      round: { type: 'string', default: '25000' },
      store: { type: 'string', default: STORES.join(',') },
      fault: { type: 'string' },
    },
  });
  const stores = values.store.split(',').map((name) => {
    const store = STORES.find((known) => known === name);
    if (store === undefined) throw new Error(`there is no store ${name}; there are ${STORES.join(', ')}`);
    return store;
  });
  if (values.fault !== undefined && !Object.hasOwn(FAULTS, values.fault)) throw new Error(`there is no fault ${values.fault}`);
  return {
    messages: count('messages', values.messages),
    seed: count('seed', values.seed),
    from: count('from', values.from),
    round: Math.max(100, count('round', values.round)),
    stores,
    fault: values.fault,
  };
}
