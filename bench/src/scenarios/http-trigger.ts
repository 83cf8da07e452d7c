import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import type { Scenario } from '../scenario.js';
import { startServer } from '../servers/server-process.js';

/** Measures the time that an HTTP trigger adds to a bare handler, one request at a time. */
export const httpTrigger: Scenario = {
  name: 'http-trigger',
  async run(effort, say) {
    const figures = new Figures();
    for (let run = 0; run < effort.runs; run++) {
      for (const name of ['rivulet', 'node:http'] as const) {
        say(`http-trigger run ${run + 1}/${effort.runs}: ${name}`);
        const server = await startServer(name);
        const load = new LoadProcess();
        // The worker runs in its own process, as in production.
        const worker = new LoadProcess();
        try {
          if (name === 'rivulet') await worker.execute({ kind: 'answer', dialect: 'rivulet-calls', url: server.writeUrl });
          const { warmUpMs, windowMs } = effort;
          const window = await load.measure({ kind: 'request', url: `${server.httpUrl}bench`, warmUpMs, windowMs, pid: server.pid });
          figures.add(`${name}: p50`, 'ms', window.ackP50);
          figures.add(`${name}: p99`, 'ms', window.ackP99);
          figures.add(`${name}: requests`, '/s', window.acknowledged / window.seconds);
        } finally {
          await load.stop();
          await worker.stop();
          await server.stop();
        }
      }
    }
    const added = figures.median('rivulet: p50') - figures.median('node:http: p50');
    return {
      scenario: httpTrigger.name,
      title: 'HTTP trigger beside a bare node:http handler, one request at a time',
      figures: figures.list(),
      targets: [target('added to p50, in ms', added, 'at most', 1)],
      notes: ['Rivulet calls a worker in another process. Client and worker share a processor.'],
    };
  },
};
