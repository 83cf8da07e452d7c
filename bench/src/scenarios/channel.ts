import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import { anonymousMemory } from '../measure/process-usage.js';
import type { Scenario } from '../scenario.js';
import { startServer } from '../servers/server-process.js';

const MIB = 1_048_576;
const LOOK_EVERY_MS = 10;

/** Measures 100 MiB from one socket to another one through a channel: the throughput, and the memory of the server meanwhile. */
export const channel: Scenario = {
  name: 'channel',
  async run(effort, say) {
    const figures = new Figures();
    const bytes = Math.max(1, Math.round(100 * effort.scale)) * MIB;
    for (let run = 0; run < effort.runs; run++) {
      for (const name of ['rivulet', 'ws relay'] as const) {
        say(`channel run ${run + 1}/${effort.runs}: ${name}`);
        const server = await startServer(name);
        const load = new LoadProcess();
        try {
          // This transfer lets Node compile the code before the measured one.
          const command = { kind: 'transfer', through: name === 'rivulet' ? 'rivulet' : 'relay', url: server.writeUrl } as const;
          await load.transfer({ ...command, bytes: MIB });
          await server.ask('gc');
          const before = anonymousMemory(server.pid);
          let most = before;
          const look = setInterval(() => {
            most = Math.max(most, anonymousMemory(server.pid));
          }, LOOK_EVERY_MS);
          const report = await load.transfer({ ...command, bytes });
          clearInterval(look);
          figures.add(`${name}: throughput`, 'MiB/s', report.bytes / MIB / report.seconds);
          figures.add(`${name}: memory grown by at most`, 'MiB', (most - before) / MIB);
        } finally {
          await load.stop();
          await server.stop();
        }
      }
    }
    return {
      scenario: channel.name,
      title: 'A channel transfer of 100 MiB',
      figures: figures.list(),
      targets: [target('memory grown, in MiB', figures.median('rivulet: memory grown by at most'), 'at most', 32)],
      notes: [
        `Anonymous memory of the server, sampled every ${LOOK_EVERY_MS} ms. The relay forwards messages without limiting the writer.`,
      ],
    };
  },
};
