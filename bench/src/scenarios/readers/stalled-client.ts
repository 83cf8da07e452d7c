import type { Scenario } from '../../scenario.js';
import { besideOneSlowReader, RATE } from './one-slow-reader.js';

/** Measures a client that stops reading beside 1,000 others: its effect on them, and its cost. */
export const stalledClient: Scenario = {
  name: 'stalled-client',
  async run(effort, say) {
    const reader = { scenario: stalledClient.name, label: 'one stalled', bytesPerSecond: 0, staysMs: 0 };
    return {
      scenario: stalledClient.name,
      title: `One stalled client among 1,000 (${RATE.toLocaleString('en')} messages/s)`,
      ...(await besideOneSlowReader(reader, effort, say)),
      notes: ['The peer is the same engine a moment before, with all clients reading.'],
    };
  },
};
