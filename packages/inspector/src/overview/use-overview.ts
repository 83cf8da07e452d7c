import { useRef } from 'react';
import { type Polled, usePoll } from '../parts/use-poll.js';
import { decodeOverview, type Overview, type Samples } from './overview-wire.js';
import { SampleWindow } from './sample-window.js';

/** Milliseconds between an answer and the next request. The engine takes one sample a second. */
const EVERY_MS = 1_000;

export interface OverviewState extends Polled<Overview> {
  readonly samples: Samples | undefined;
}

/** Requests the overview once a second. Each request asks only for the samples that are missing. */
export function useOverview(): OverviewState {
  const state = useRef<{ readonly window: SampleWindow; seen: Overview | undefined; uptime: number }>(undefined);
  state.current ??= { window: new SampleWindow(), seen: undefined, uptime: 0 };
  const kept = state.current;
  const polled = usePoll('overview', { path: ['overview'], query: { since: kept.window.newestMs }, decoder: decodeOverview }, EVERY_MS);
  const { value } = polled;
  if (value !== undefined && value !== kept.seen) {
    if (value.uptime_s < kept.uptime) kept.window.clear();
    kept.seen = value;
    kept.uptime = value.uptime_s;
    kept.window.add(value.samples);
  }
  return { ...polled, samples: kept.window.samples };
}
