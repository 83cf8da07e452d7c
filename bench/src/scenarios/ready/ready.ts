import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { Figures, target } from '../../measure/figures.js';
import type { Figure, Scenario, Target } from '../../scenario.js';
import { RedisServer } from '../../servers/redis-server.js';
import { ProbedEngine } from './probed-engine.js';
import { SmallDisk } from './small-disk.js';

const CLIENTS = 20;
const DISK_MEBIBYTES = 12;
/** The engine syncs its files at its start too, so the fault begins after these calls. */
const STRACE = '-D -f -qq -o /dev/null --seccomp-bpf -e trace=fdatasync -e inject=fdatasync:error=EIO:when=14+'.split(' ');

/** The largest time of each change, in milliseconds. Changes without a bound must only come. */
const BOUNDS: Readonly<Record<string, number>> = {
  'red after SIGTERM': 100,
  'red after the disk is full': 1_000,
  'red after a failed write': 1_000,
  'red after Redis has ended': 5_000,
  'red after Redis is silent': 5_000,
};
const AT_CLOSE = 'red when the first client is closed';

interface Round {
  readonly scratch: string;
  readonly figures: Figures;
}

/** Measures how fast `/ready` turns red when something breaks, and green again by itself. The goal is a bound, so there is no peer. */
export const ready: Scenario = {
  name: 'ready',
  needsRedis: true,
  async run(effort, say) {
    const figures = new Figures();
    const unmeasured = new Set<string>();
    for (let run = 0; run < effort.runs; run++) {
      for (const [name, part] of PARTS) {
        say(`ready run ${run + 1}/${effort.runs}: ${name}`);
        const scratch = mkdtempSync(join(tmpdir(), 'rivulet-bench-ready-'));
        try {
          if (!(await part({ scratch, figures }))) unmeasured.add(name);
        } finally {
          rmSync(scratch, { recursive: true, force: true });
        }
      }
    }
    return {
      scenario: ready.name,
      title: 'Changes of /ready',
      figures: figures.list(),
      targets: figures.list().flatMap(targetsOf),
      notes: [
        'A time runs until the answer of a probe arrives. The scenario sends a probe 2 ms after the answer to the one before.',
        'A store whose disk failed stays red until a restart. The time after a failed write begins when that write is sent.',
        ...Array.from(unmeasured, (name) => `This machine cannot measure the ${name}: it needs root and strace.`),
      ],
    };
  },
};

const PARTS: readonly [name: string, part: (round: Round) => Promise<boolean>][] = [
  ['signal', terminated],
  ['full disk', full],
  ['failed disk', failed],
  ['lost Redis', lost],
];

function targetsOf({ name, runs }: Figure): readonly Target[] {
  if (name === AT_CLOSE) return [target(`rounds: ${name}`, runs.filter((red) => red === 1).length / runs.length, 'at least', 1)];
  const bound = BOUNDS[name];
  return bound === undefined ? [] : [target(`slowest: ${name}, in ms`, Math.max(...runs), 'at most', bound)];
}

async function terminated({ scratch, figures }: Round): Promise<boolean> {
  const engine = await ProbedEngine.start({ directory: scratch, adapter: kvAt('./data') });
  try {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connect(engine.streamUrl)));
    const atClose = Promise.race(clients.map((client) => once(client, 'close'))).then(() => engine.ready());
    atClose.catch(() => {});
    const from = performance.now();
    engine.terminate();
    figures.add('red after SIGTERM', 'ms', (await engine.until(503)) - from);
    figures.add(AT_CLOSE, '(1: red)', Number((await atClose) === 503));
    return true;
  } finally {
    await engine.stop();
  }
}

async function full({ scratch, figures }: Round): Promise<boolean> {
  const disk = SmallDisk.mount(join(scratch, 'disk'), DISK_MEBIBYTES);
  if (disk === undefined) return false;
  try {
    const space = 'min_free_bytes: 1048576, min_free_percent: 2, ballast_bytes: 0';
    const engine = await ProbedEngine.start({ directory: scratch, adapter: kvAt('./disk/data', space) });
    try {
      const isFull = performance.now();
      disk.fill();
      figures.add('red after the disk is full', 'ms', (await engine.until(503)) - isFull);
      const isFree = performance.now();
      disk.clear();
      figures.add('green after the disk has room', 'ms', (await engine.until(200)) - isFree);
    } finally {
      await engine.stop();
    }
  } finally {
    disk.unmount();
  }
  return true;
}

async function failed({ scratch, figures }: Round): Promise<boolean> {
  if (spawnSync('strace', ['--version']).status !== 0) return false;
  const engine = await ProbedEngine.start({ directory: scratch, adapter: kvAt('./data'), wrapper: ['strace', ...STRACE] });
  try {
    for (;;) {
      const from = performance.now();
      if ((await engine.write()) === 200) continue;
      figures.add('red after a failed write', 'ms', (await engine.until(503)) - from);
      return true;
    }
  } finally {
    await engine.stop();
  }
}

async function lost({ scratch, figures }: Round): Promise<boolean> {
  const first = await RedisServer.start();
  let second: RedisServer | undefined;
  try {
    const engine = await ProbedEngine.start({ directory: scratch, adapter: `{ name: redis, config: { redis_url: "${first.url}" } }` });
    try {
      const silent = performance.now();
      process.kill(first.pid, 'SIGSTOP');
      figures.add('red after Redis is silent', 'ms', (await engine.until(503)) - silent);
      const resumed = performance.now();
      process.kill(first.pid, 'SIGCONT');
      figures.add('green after Redis answers again', 'ms', (await engine.until(200)) - resumed);
      const ended = performance.now();
      await first.stop();
      figures.add('red after Redis has ended', 'ms', (await engine.until(503)) - ended);
      second = await RedisServer.start(first.port);
      const back = performance.now();
      figures.add('green after Redis is back', 'ms', (await engine.until(200)) - back);
      return true;
    } finally {
      await engine.stop();
    }
  } finally {
    await first.stop();
    await second?.stop();
  }
}

function kvAt(path: string, more = ''): string {
  return `{ name: kv, config: { store_method: file_based, file_path: ${path}${more === '' ? '' : `, ${more}`} } }`;
}

async function connect(url: string): Promise<WebSocket> {
  const client = new WebSocket(url);
  await once(client, 'open');
  return client;
}
