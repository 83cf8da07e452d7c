import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import { anonymousMemory } from '../measure/process-usage.js';
import type { Scenario } from '../scenario.js';
import { isAvailable, startServer } from '../servers/server-process.js';

const CONNECTIONS = 10_000;

/** Measures the anonymous memory of an idle subscribed connection, beyond that of the empty server, after garbage collection. */
export const idleMemory: Scenario = {
  name: 'idle-memory',
  async run(effort, say) {
    const figures = new Figures();
    const servers = (['rivulet', 'socket.io', 'uwebsockets'] as const).filter(isAvailable);
    const count = Math.ceil(CONNECTIONS * effort.scale);
    for (let run = 0; run < effort.runs; run++) {
      for (const name of servers) {
        say(`idle-memory run ${run + 1}/${effort.runs}: ${name}`);
        const server = await startServer(name);
        const load = new LoadProcess();
        try {
          await server.ask('gc');
          const empty = anonymousMemory(server.pid);
          await load.execute({ kind: 'watch', dialect: name, url: server.watchUrl, count, group: 'room' });
          await server.ask('gc');
          figures.add(`${name}: memory per connection`, 'B', (anonymousMemory(server.pid) - empty) / count);
        } finally {
          await load.stop();
          await server.stop();
        }
      }
    }
    return {
      scenario: idleMemory.name,
      title: `Memory per idle subscribed connection (${count.toLocaleString('en')} in one group)`,
      figures: figures.list(),
      targets: [target('bytes per connection', figures.median('rivulet: memory per connection'), 'at most', 10_000)],
      notes: ['Anonymous memory of the process, without the socket buffers of the kernel, for all servers.'],
    };
  },
};
