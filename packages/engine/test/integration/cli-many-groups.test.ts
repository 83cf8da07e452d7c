import { registerWorker, stream } from '@rivulet/sdk';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CliProcess, type Finished } from '@rivulet/testkit/engines/cli-process';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, onTestFinished, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';

const GROUPS = 10_000;
const MOST_KIBIBYTES = 150 * 1_024;
const MOST_MICROSECONDS = 1_000_000;

/** Code that a command loads first. At its exit it reports the processor time before the first output, and the largest memory. */
const MEASURE = `
import { writeSync } from 'node:fs';
const write = process.stdout.write;
let first;
process.stdout.write = function (...parts) {
  first ??= process.cpuUsage();
  return write.apply(this, parts);
};
process.on('exit', () => writeSync(2, JSON.stringify({ first: first.user + first.system, peak: process.resourceUsage().maxRSS })));
`;

/** The command lines, by the name of the command. `true`: the command runs on until it is interrupted. */
const LINES: Readonly<Record<string, readonly [words: string[], code: number | undefined, endless?: true]>> = {
  get: [['many', 'group-5000', 'item'], 0],
  set: [['many', 'group-0', 'new', '1'], 0],
  update: [['many', 'group-0', 'item', 'n+=1'], 0],
  delete: [['many', 'group-0', 'item'], 0],
  list: [['many', 'group-5000'], 0],
  watch: [['many', 'group-5000'], 0, true],
  send: [['many', 'group-5000', 'event', '1'], 0],
  call: [['stream::list_groups', '{"stream_name":"many"}'], 0],
  streams: [[], 0],
  groups: [['many'], 0],
  sessions: [[], 0],
  functions: [[], 0],
  triggers: [[], 0],
  top: [[], 0, true],
  why: [['nobody', 'many', 'group-5000', 'item', '--json'], 0],
  disconnect: [['--identity', 'nobody', '--json'], 1],
  // The limits of the machine decide about its code.
  doctor: [['--json'], undefined],
};

test('every command answers soon and with little memory beside 10,000 groups', async () => {
  const engine = await startTestEngine({ admin: {} });
  const worker = registerWorker(engine.workerUrl);
  onTestFinished(() => worker.close());
  const streams = stream(worker);
  const groups = Array.from({ length: GROUPS }, (_, index) => `group-${index}`);
  for (let from = 0; from < GROUPS; from += 1_000)
    await Promise.all(groups.slice(from, from + 1_000).map((group) => streams.set('many', group, 'item', { n: 1, group })));
  const env = {
    RIVULET_URL: engine.workerUrl,
    RIVULET_STREAM_URL: engine.streamUrl,
    RIVULET_ADMIN_URL: engine.adminUrl,
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(MEASURE)}`,
  };
  const text = [
    'workers:',
    '  - { name: iii-worker-manager, config: { port: 0, host: 127.0.0.1 } }',
    `  - { name: iii-stream, config: { port: ${new URL(engine.streamUrl).port}, host: 127.0.0.1 } }`,
    `  - { name: rivulet-admin, config: { port: ${new URL(engine.adminUrl).port} } }`,
  ].join('\n');
  const measured: Record<string, { readonly first: number; readonly peak: number }> = {};
  const outputs: Record<string, Finished> = {};
  for (const [name, [words, wanted, endless]] of Object.entries(LINES)) {
    const via = name === 'doctor' ? ['--via', engine.streamUrl] : [];
    const command = new CliProcess([name, ...words, ...via], directoryWith({ 'iii-config.yaml': text }), env);
    if (endless === true) {
      await command.output('stdout', /live|ready/);
      command.signal('SIGINT');
    }
    const finished = await command.finished;
    expect({ name, code: finished.code }).toEqual({ name, code: wanted ?? finished.code });
    outputs[name] = finished;
    measured[name] = JSON.parse(finished.stderr) as { first: number; peak: number };
  }
  const remote = COMMANDS.filter(({ group, name }) => group.includes('running engine') || name === 'doctor').map(({ name }) => name);
  expect(Object.keys(LINES).toSorted()).toEqual(remote.toSorted());
  expect(outputs.doctor?.stdout).toMatch(
    /sees the own address of this client.*the running engine is ready|the running engine is ready.*sees the own/,
  );
  const listed = outputs.groups?.stdout.trimEnd().split('\n').slice(1) ?? [];
  expect(listed.map((line) => line.split(' ')[0])).toEqual(groups.toSorted());
  for (const [name, { first, peak }] of Object.entries(measured)) {
    expect({ name, first: first < MOST_MICROSECONDS ? 'soon' : first }).toEqual({ name, first: 'soon' });
    expect({ name, peak: peak < MOST_KIBIBYTES ? 'little' : peak }).toEqual({ name, peak: 'little' });
  }
  if (process.env.RIVULET_SHOW_FIGURES === '1') console.table(measured);
});
