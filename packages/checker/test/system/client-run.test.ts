import { expect, it } from 'vitest';
import { runClients } from '../../src/live/client-run.js';

const DELIVERIES = Number(process.env.RIVULET_CLIENT_DELIVERIES ?? 40_000);

it(
  `RG-3 RG-4 applications receive each of ${DELIVERIES} changes once and in order, whatever happens to their sockets, and have the state of the store`,
  async () => {
    const run = await runClients({ seed: 1, deliveries: DELIVERIES, clients: 40, groups: 2, dropMs: 1_500 }, () => {});
    expect(run).toMatchObject({ repeated: 0, skipped: 0, unlike: 0, views: 40 });
    expect(run.deliveries).toBeGreaterThanOrEqual(DELIVERIES);
    expect(run.reconnects).toBeGreaterThan(10);
  },
  60_000 + DELIVERIES,
);
