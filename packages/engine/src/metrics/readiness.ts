import type { StreamStore } from '../store/store.js';
import { figuresOf } from '../store/store-figures.js';
import type { EngineParts } from './engine-parts.js';

export type ReasonCode = 'starting' | 'draining' | 'store_full' | 'store_failed' | 'store_unavailable' | 'redis_lost';

/** Why an engine should get no new clients. */
export interface NotReady {
  readonly code: ReasonCode;
  /** The store that the reason is about. */
  readonly store?: 'stream' | 'state';
  readonly message: string;
}

/** Returns the reasons why the engine should get no new clients now; none when it is ready. It reads the state of each part anew. */
export function reasonsNotReady(parts: EngineParts): readonly NotReady[] {
  const stage = parts.stage();
  const reasons: NotReady[] = [];
  if (stage === 'starting') reasons.push({ code: 'starting', message: 'the listeners are not open yet' });
  if (stage === 'draining') reasons.push({ code: 'draining', message: 'the engine stops; clients should connect to another one' });
  // While the engine starts or stops, its stores are not open, and that is no reason of their own.
  if (stage !== 'running') return reasons;
  for (const name of ['stream', 'state'] as const) {
    const reason = storeReason(name, parts.stores[name]);
    if (reason !== undefined) reasons.push(reason);
  }
  const hasStreamReason = reasons.some(({ store }) => store === 'stream');
  if (!hasStreamReason && parts.streams?.hub.isAnythingUnavailable === true) {
    reasons.push({ code: 'store_unavailable', store: 'stream', message: 'the store of streams, or a group of it, is unavailable' });
  }
  return reasons;
}

function storeReason(name: 'stream' | 'state', store: StreamStore | undefined): NotReady | undefined {
  const figures = figuresOf(store);
  if (figures === undefined) return undefined;
  const reason = (code: ReasonCode, message: string) => ({ code, store: name, message });
  switch (figures.state) {
    case 'ok':
      return undefined;
    case 'full':
      return reason('store_full', 'the store refuses writes until there is room; see the log event store_full');
    case 'failed':
      return reason('store_failed', 'a write to the disk failed, so the store is read-only; repair the disk, then restart the engine');
    case 'unavailable':
      return figures.backend === 'redis'
        ? reason('redis_lost', 'a Redis server is not connected; see the log event redis_lost')
        : reason('store_unavailable', 'the store is not open');
    default:
      return figures.state satisfies never;
  }
}
