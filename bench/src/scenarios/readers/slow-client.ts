import type { Scenario } from '../../scenario.js';
import { besideOneSlowReader, RATE } from './one-slow-reader.js';

const KIB = 1_024;
/** Longer than a ping and the time-out of its pong, in milliseconds. */
const STAYS_MS = 40_000;

/** Measures a client that reads 1 KiB/s beside 1,000 others, at 1,000 messages per second. */
export const slowClient: Scenario = {
  name: 'slow-client',
  async run(effort, say) {
    const staysMs = effort.scale < 1 ? effort.windowMs : STAYS_MS;
    const reader = { scenario: slowClient.name, label: 'one at 1 KiB/s', bytesPerSecond: KIB, staysMs };
    return {
      scenario: slowClient.name,
      title: `One client at 1 KiB/s among 1,000 (${RATE.toLocaleString('en')} messages/s)`,
      ...(await besideOneSlowReader(reader, effort, say)),
      notes: [
        'The peer is the same engine a moment before, with all clients reading. Messages have 200 bytes. The client reads less than a hundredth of them.',
        `The client stays for ${staysMs / 1_000} s after the last window, which gives the last value of the last two figures.`,
      ],
    };
  },
};
