import { LoadProcess } from '../../load/load-process.js';
import { Figures, target } from '../../measure/figures.js';
import { anonymousMemory } from '../../measure/process-usage.js';
import type { Scenario } from '../../scenario.js';
import { type ServerProcess, startServer } from '../../servers/server-process.js';

const READERS = 10_000;

/** Measures the memory of an idle event stream, beyond that of the empty server, after garbage collection. */
export const idleEvents: Scenario = {
  name: 'idle-events',
  async run(effort, say) {
    const figures = new Figures();
    const count = Math.ceil(READERS * effort.scale);
    for (let run = 0; run < effort.runs; run++) {
      say(`idle-events run ${run + 1}/${effort.runs}`);
      const server = await startServer('rivulet');
      const load = new LoadProcess();
      try {
        const empty = await memoryOf(server);
        await load.execute({ kind: 'watch-events', url: server.watchUrl.replace('ws:', 'http:'), groups: ['room'], count });
        const used = await memoryOf(server);
        figures.add('heap and external memory per event stream', 'B', (used.javascript - empty.javascript) / count);
        figures.add('anonymous memory per event stream', 'B', (used.anonymous - empty.anonymous) / count);
      } finally {
        await load.stop();
        await server.stop();
      }
    }
    return {
      scenario: idleEvents.name,
      title: `Memory per idle event stream (${count.toLocaleString('en')} in one group)`,
      figures: figures.list(),
      targets: [
        target('heap and external bytes per event stream', figures.median('heap and external memory per event stream'), 'at most', 9_216),
      ],
      notes: ['The socket buffers of the kernel do not count.'],
    };
  },
};

async function memoryOf(server: ServerProcess): Promise<{ readonly javascript: number; readonly anonymous: number }> {
  await server.ask('gc');
  const { heapUsed = Number.NaN, external = Number.NaN } = await server.ask('memory');
  return { javascript: heapUsed + external, anonymous: anonymousMemory(server.pid) };
}
