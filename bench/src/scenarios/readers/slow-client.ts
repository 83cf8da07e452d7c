import type { Scenario } from '../../scenario.js';
import { besideOneSlowReader, RATE } from './one-slow-reader.js';

const KIB = 1_024;
/** Longer than it takes to be pinged and to miss the pong. */
const STAYS_MS = 40_000;

/** One client of 1,000 reads at 1 KiB/s what comes at 1,000 messages per second. */
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
        'The peer is the same engine a moment before, with all clients reading. Messages of 200 bytes: it reads less than a hundredth of them.',
        `At the end it stays for ${staysMs / 1_000} s more: the last value of the last two figures.`,
      ],
    };
  },
};
