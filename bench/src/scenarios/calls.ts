import { LoadProcess } from '../load/load-process.js';
import { beforeTarget, Figures, target } from '../measure/figures.js';
import type { Scenario } from '../scenario.js';
import { dialectOf, startServer, withBefore } from '../servers/server-process.js';

const IN_FLIGHT = 256;

/** Measures calls from one worker to a function of another one: 256 calls in flight, 200 bytes of JSON each. */
export const calls: Scenario = {
  name: 'calls',
  async run(effort, say) {
    const figures = new Figures();
    for (let run = 0; run < effort.runs; run++) {
      for (const name of withBefore(['rivulet', 'socket.io'] as const, effort.before)) {
        say(`calls run ${run + 1}/${effort.runs}: ${name}`);
        const server = await startServer(name, {}, effort.before);
        const load = new LoadProcess();
        try {
          const dialect = `${dialectOf(name)}-calls` as const;
          await load.execute({ kind: 'answer', dialect, url: server.writeUrl });
          const window = await load.measure({
            kind: 'saturate',
            dialect,
            url: server.writeUrl,
            group: 'room',
            inFlight: IN_FLIGHT,
            warmUpMs: effort.warmUpMs,
            windowMs: effort.windowMs,
            pid: server.pid,
          });
          const cpuSeconds = (window.serverUser + window.serverSystem) / 1_000;
          figures.add(`${name}: calls per second of its own CPU time`, '/s', window.acknowledged / cpuSeconds);
          figures.add(`${name}: calls`, '/s', window.acknowledged / window.seconds);
          figures.add(`${name}: answer p50`, 'ms', window.ackP50);
          figures.add(`${name}: answer p99`, 'ms', window.ackP99);
        } finally {
          await load.stop();
          await server.stop();
        }
      }
    }
    const perCpu = figures.median('rivulet: calls per second of its own CPU time');
    const targets = [
      target('calls per CPU second of the engine', perCpu, 'at least', 30_000),
      target(
        'rivulet / Socket.IO, calls per CPU second',
        perCpu / figures.median('socket.io: calls per second of its own CPU time'),
        'at least',
        1,
      ),
    ];
    if (effort.before !== undefined)
      targets.push(beforeTarget('calls per CPU second', perCpu, figures.median('before: calls per second of its own CPU time'), 'higher'));
    return {
      scenario: calls.name,
      title: 'Calls from worker to worker, 256 in flight',
      figures: figures.list(),
      targets,
      notes: [
        'Payloads have 200 bytes, answers 11. Socket.IO relays an event with acknowledgements both ways. It checks no ids, no bounds and no caller.',
        'Caller and answering worker are raw sockets in one process, which is often the bottleneck. Compare the figures per CPU second.',
      ],
    };
  },
};
