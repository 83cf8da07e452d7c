import type { ExpectedHistory } from './expected-history.js';
import type { OpenedStore } from './images.js';
import type { Durability } from './stored-groups.js';

export interface Verdict {
  /** Descriptions of everything that breaks a promise; empty if there was nothing. */
  readonly wrong: readonly string[];
  /** Acknowledged changes that the power cut took, which only a relaxed store with a new epoch may lose. */
  readonly lost: number;
  readonly hasNewEpoch: boolean;
}

export interface Cut {
  /** The cut happens before this moment. */
  readonly moment: number;
  readonly durability: Durability;
  /** The recorded program reported that it had closed the store. */
  readonly isClosed: boolean;
  /** The epoch before an earlier power cut that took changes. The store must never have it again. */
  readonly lostEpoch: string | undefined;
  /** The machine went on, and only the process ended, so nothing at all may be lost. */
  readonly sameBoot: boolean;
}

/** Decides whether a store may be what a power cut left of this history. */
export function judge(history: ExpectedHistory, { moment, durability, isClosed, lostEpoch, sameBoot }: Cut, store: OpenedStore): Verdict {
  const none = { lost: 0, hasNewEpoch: false };
  if (store.kind === 'refused') return { ...none, wrong: [`refused to open: ${store.error}`] };
  if (store.wrong.length > 0) return { ...none, wrong: store.wrong };
  const epochs = new Set(Object.values(store.groups).map(({ epoch }) => epoch));
  const [epoch = ''] = epochs;
  if (epochs.size !== 1) return { ...none, wrong: [`the groups have the epochs ${[...epochs].join(', ')}`] };
  const acknowledged = history.stepBefore(moment);
  const known = history.epochOf(acknowledged);
  const hasNewEpoch = known !== undefined && epoch !== known;
  const steps = history.stepsWith(store.groups);
  const best = steps.at(-1);
  if (best === undefined) return { lost: 0, hasNewEpoch, wrong: ['the store never had this content'] };
  const lost = Math.max(0, acknowledged - best);
  // A relaxed store that was opened again may take a new epoch although it has everything.
  const mayRestart = durability === 'relaxed' && !sameBoot;
  const wrong: string[] = [];
  if (lost > 0 && !(mayRestart && !isClosed && hasNewEpoch))
    wrong.push(`lost ${lost} acknowledged changes, with ${hasNewEpoch ? 'a new' : 'the same'} epoch`);
  if (hasNewEpoch && !mayRestart) wrong.push('the epoch is another, although nothing may be lost');
  if (hasNewEpoch && history.hadEpoch(epoch, acknowledged)) wrong.push('the epoch is one of the past');
  if (epoch === lostEpoch) wrong.push('continues the epoch from before an earlier power cut, which took acknowledged changes');
  return { lost, hasNewEpoch, wrong };
}
