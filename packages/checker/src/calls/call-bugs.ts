import type { CallLedger, LedgerEntry } from '@rivulet/engine/parts';
import type { StreamStore, Write, WriteResult } from '@rivulet/engine/stores';
import { AlteredStore } from '../bugs/altered-store.js';
import { onceIn } from '../bugs/bug.js';
import { invocation } from '../invariants/i12-invocation.js';
import { check, type Violation } from '../invariants/invariant.js';
import type { VirtualTime } from '../simulation/virtual-time.js';
import { type CallFaults, NO_CALL_FAULTS, simulateCalls } from './call-world.js';

/** A deliberate bug of the ledger of calls, or of the store below it. */
export interface CallBug {
  readonly id: string;
  readonly says: string;
  make(): Partial<CallFaults>;
}

/** Passes writes with a key on. A bug alters those of one kind of record. */
class AltersRecords extends AlteredStore {
  readonly #kind: string;
  readonly #alter: (write: Write, pass: (write: Write) => Promise<WriteResult>) => Promise<WriteResult>;

  constructor(
    inner: StreamStore,
    kind: string,
    alter: (write: Write, pass: (write: Write) => Promise<WriteResult>) => Promise<WriteResult>,
  ) {
    super(inner);
    this.#kind = kind;
    this.#alter = alter;
  }

  override write(write: Write): Promise<WriteResult> {
    if (write.once?.key.startsWith(this.#kind) !== true) return super.write(write);
    return this.#alter(write, (altered) => super.write(altered));
  }
}

const WRITTEN: WriteResult = { kind: 'written', results: [] };

/** Acknowledges a claim at once, and stores it later. */
function claimsLater(store: StreamStore, time: VirtualTime): StreamStore {
  return new AltersRecords(store, 'claim', async (write, pass) => {
    const first = await pass({ ...write, once: undefined }).catch(() => WRITTEN);
    time.after(5_000, () => {
      pass(write).catch(() => {});
    });
    return first;
  });
}

/** Returns a ledger that begins calls in another way. */
function begins(ledger: CallLedger, begin: CallLedger['begin']): CallLedger {
  return { begin, findOutcome: (call) => ledger.findOutcome(call) };
}

/** Returns the key of an earlier call of the client, for some calls: `c0.1` for `c0.11`. */
const cut = (key: string) => key.slice(0, -1);

export const CALL_BUGS: readonly CallBug[] = [
  {
    id: 'claim-not-stored',
    says: 'a claim is acknowledged and not stored',
    make: () => ({ store: (store) => new AltersRecords(store, 'claim', (write, pass) => pass({ ...write, once: undefined })) }),
  },
  { id: 'claim-before-durable', says: 'a claim is acknowledged before it is stored', make: () => ({ store: claimsLater }) },
  {
    id: 'claim-of-one-engine',
    says: 'an engine does not see the claims of another one',
    make: () => {
      let engines = 0;
      return {
        store: (store) => {
          const engine = ++engines;
          return new AltersRecords(store, 'claim', (write, pass) =>
            pass(write.once === undefined ? write : { ...write, once: { ...write.once, key: `${write.once.key} ${engine}` } }),
          );
        },
      };
    },
  },
  {
    id: 'end-as-release',
    says: 'the end of a call is read as a release',
    make: () => ({
      store: (store) =>
        new AltersRecords(store, 'end', async (write, pass) => {
          const result = await pass(write);
          return result.kind === 'replayed' ? { kind: 'replayed', answer: 'f' } : result;
        }),
    }),
  },
  {
    id: 'repeat-as-first',
    says: 'a repeat that may be forgotten is taken for a first call',
    make: () => ({ ledger: (ledger) => begins(ledger, (call) => ledger.begin({ ...call, repeatedAfterMs: undefined })) }),
  },
  {
    id: 'unknown-runs',
    says: 'a call with an unknown outcome runs again',
    make: () => ({
      ledger: (ledger) =>
        begins(ledger, async (call) => {
          const entry = await ledger.begin(call);
          return entry.kind === 'unknown' ? ledger.begin({ ...call, idempotent: true }) : entry;
        }),
    }),
  },
  {
    id: 'unclaimed-runs',
    says: 'a call runs although its claim failed',
    make: () => ({ ledger: (ledger) => begins(ledger, (call) => ledger.begin(call).catch(() => RUNS)) }),
  },
  {
    id: 'key-cut',
    says: 'calls with different keys share an outcome',
    make: () => {
      const strikes = onceIn(5);
      return {
        ledger: (ledger) =>
          begins(ledger, (call) => ledger.begin(strikes() ? { ...call, key: cut(call.key), repeatedAfterMs: undefined } : call)),
      };
    },
  },
  {
    id: 'found-under-cut-key',
    says: 'the outcome of another call is found while the worker is away',
    make: () => ({
      ledger: (ledger) => ({
        begin: (call, onWait) => ledger.begin(call, onWait),
        findOutcome: (call) => ledger.findOutcome({ ...call, key: cut(call.key) }),
      }),
    }),
  },
];

const RUNS: LedgerEntry = {
  kind: 'run',
  run: { finish: () => Promise.resolve(), release: () => Promise.resolve(), abandon: () => Promise.resolve() },
};

/** Runs one seed and returns its violations: a function that may run once runs at most once for each key, and each call ends once. */
export async function checkCalls(seed: number, faults: Partial<CallFaults> = {}): Promise<readonly Violation[]> {
  return check([invocation], await simulateCalls(seed, { ...NO_CALL_FAULTS, ...faults }));
}
