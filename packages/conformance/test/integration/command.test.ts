import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EnginePorts, EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

const GUIDE = new URL('../../../../docs/conformance.md', import.meta.url);
const COMMAND = fileURLToPath(new URL('../../bin/rivulet-conformance.js', import.meta.url));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Addresses = Pick<EngineProcess, 'workerUrl' | 'guestUrl' | 'streamUrl' | 'httpUrl'>;

interface Report {
  readonly count: { readonly hold: number; readonly fail: number; readonly notTested: number };
  readonly rules: readonly {
    readonly id: string;
    readonly outcome: string;
    readonly why?: string;
    readonly cases: readonly { readonly outcome: string; readonly seen?: string }[];
  }[];
}

/** A bound of one case for runs in which all cases hold. It only ends a case that hangs, also on a busy machine. */
const PATIENT = ['--timeout', '60000'];

function command(...parameters: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...parameters], { timeout: 580_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** The file of the guide, on these ports. */
function documentedConfig({ worker, guest, stream, http }: EnginePorts): string {
  const file = /```yaml\n([\s\S]*?)```/.exec(readFileSync(GUIDE, 'utf8'))?.[1] ?? '';
  const ports: Readonly<Record<string, number>> = { 49134: worker, 49135: guest, 3112: stream, 3111: http };
  return file.replaceAll(/port: (\d+)/g, (_found, documented: string) => `port: ${ports[documented]}`);
}

function addressesOf({ workerUrl, guestUrl, streamUrl, httpUrl }: Addresses): string[] {
  return ['--worker', workerUrl, '--rbac', guestUrl, '--stream-auth', streamUrl, '--http', httpUrl];
}

const failing = (report: Report) => report.rules.filter(({ outcome }) => outcome === 'fails').map(({ id }) => id);

/** Passes frames on between a client and the engine; `change` sees those that the engine sends, and answers what the client gets. */
async function tampered(target: string, change: (text: string) => string | undefined): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on('connection', (client, request) => {
    const upstream = new WebSocket(target + request.url);
    const opened = new Promise((resolve) => upstream.once('open', resolve));
    upstream.on('error', () => client.terminate());
    client.on('message', (data, binary) => void opened.then(() => upstream.send(data as Buffer, { binary })));
    client.on('close', () => void opened.then(() => upstream.close()));
    upstream.on('message', (data, binary) => {
      const text = binary ? (data as Buffer) : change((data as Buffer).toString());
      if (text !== undefined) client.send(text);
    });
    upstream.on('close', () => client.close());
  });
  const address = server.address();
  return `ws://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

/** Passes requests on, and answers with the status that `change` makes of the engine's. */
async function tamperedHttp(target: string, change: (status: number) => number): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, headers, url } = incoming;
    const upstream = request(target + url, { method, headers }, (response) => {
      outgoing.writeHead(change(response.statusCode ?? 0), response.headers);
      // Else the headers of a response would wait for the first byte of its body.
      outgoing.flushHeaders();
      response.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

describe('rivulet-conformance', () => {
  it('finds that every rule it tests holds on the engine with the documented configuration', async () => {
    const engine = await EngineProcess.start({ config: documentedConfig });
    const { code, stdout } = await command(...addressesOf(engine), ...PATIENT, '--json');
    const report = JSON.parse(stdout) as Report;
    expect(report.rules.filter(({ outcome }) => outcome === 'fails')).toEqual([]);
    expect(report.rules.filter(({ why }) => why === 'has no case')).toEqual([]);
    const skipped = report.rules.flatMap(({ cases }) => cases.filter(({ outcome }) => outcome === 'skipped'));
    expect(skipped).toEqual([]);
    expect(report.count.hold + report.count.notTested).toBe(105);
    expect(code).toBe(0);
    // It may run again beside what it left behind.
    const again = await command(...addressesOf(engine), '--only', 'ST-4,ST-10,ST-24,RB-8,HT-9,WP-4', ...PATIENT);
    expect(again.stdout).toMatch(/^WP-4 +ok /m);
    expect(again.stdout).toMatch(/^ST-24 +not tested here .*restart/m);
    expect(again.stdout).toMatch(/5 hold, 0 fail, 1 not tested here\n$/);
    expect(again.code).toBe(0);
  });

  it('needs no configuration for --worker and --stream, and says which option the rest needs', async () => {
    const engine = await EngineProcess.start({ state: [] });
    const { code, stdout } = await command('--worker', engine.workerUrl, '--stream', engine.streamUrl, ...PATIENT);
    expect(stdout).toMatch(/^HT-1 +not tested here .*needs --http/m);
    expect(stdout).toMatch(/^RB-1 +not tested here .*needs --rbac/m);
    expect(stdout).toMatch(/^ST-10 +not tested here .*needs --stream-auth/m);
    expect(stdout).toMatch(/^ST-9 +ok .*\(1 of 2 cases: needs --stream-auth\)$/m);
    expect(stdout).toMatch(/^WP-1 +ok [^(]*$/m);
    expect(stdout).toMatch(/\d+ hold, 0 fail, \d+ not tested here\n$/);
    expect(code).toBe(0);
  });

  it('finds exactly the rules that a server breaks, with what was expected and seen', async () => {
    const engine = await EngineProcess.start();
    const worker = await tampered(engine.workerUrl, (text) => text.replace('"function_not_found"', '"gone"'));
    const stream = await tampered(engine.streamUrl, (text) => (text.includes('"type":"delete"') ? undefined : text));
    const only = 'WP-1,WP-2,WP-4,WP-8,ST-2,ST-4';
    const { code, stdout } = await command('--worker', worker, '--stream', stream, '--only', only, '--timeout', '10000', '--json');
    const report = JSON.parse(stdout) as Report;
    expect(failing(report)).toEqual(['WP-8', 'ST-4']);
    expect(report.rules.find(({ id }) => id === 'WP-8')?.cases[0]?.seen).toBe('"gone"');
    expect(code).toBe(1);
  });

  it('finds one violation each of streams, state, HTTP and access among all rules of these kinds', async () => {
    const engine = await EngineProcess.start({ config: documentedConfig });
    const wrong = (text: string) =>
      text.replaceAll('"append.type_mismatch"', '"append.mismatch"').replace('"ip_address":"127.0.0.1"', '"ip_address":"127.0.0.1:80"');
    const workerUrl = await tampered(engine.workerUrl, wrong);
    const streamUrl = await tampered(engine.streamUrl, (text) => text.replace('"type":"message"', '"type":"event"'));
    const httpUrl = await tamperedHttp(engine.httpUrl, (status) => (status === 504 ? 500 : status));
    // Without those that a proxy in between shows differently: statuses of refused upgrades, close codes and sub-protocols.
    const only = 'SA,HT,ST-1,ST-2,ST-3,ST-4,ST-5,ST-6,ST-7,ST-13,ST-15,ST-16,ST-17,ST-18,ST-19,RB-1,RB-2,RB-3,RB-4,RB-7,RB-8,RB-9';
    const addresses = addressesOf({ workerUrl, guestUrl: engine.guestUrl, streamUrl, httpUrl });
    const { code, stdout } = await command(...addresses, '--only', only, '--timeout', '20000', '--json');
    const report = JSON.parse(stdout) as Report;
    expect(failing(report)).toEqual(['ST-2', 'SA-4', 'HT-8', 'RB-1']);
    const seen = report.rules.flatMap(({ cases }) => cases.flatMap((each) => (each.outcome === 'fails' ? [each.seen] : [])));
    expect(seen).toEqual(expect.arrayContaining([expect.stringContaining('append.mismatch'), '500', '"127.0.0.1:80"']));
    expect(code).toBe(1);
  });

  it('asks in --help for the configuration that the guide has as a file', async () => {
    const { code, stdout } = await command('--help');
    const ports = { worker: 0, guest: 0, stream: 0, http: 0, admin: 0 };
    const wanted = documentedConfig(ports).match(/conformance::[\w-]+|match\("[^"]+"\)|\w+_timeout(?:_ms)?: \d+/g) ?? [];
    expect(wanted.length).toBeGreaterThanOrEqual(12);
    expect(wanted.filter((each) => !stdout.includes(each))).toEqual([]);
    expect(code).toBe(0);
  });

  it.each([
    ['nobody listens', ['--worker', 'ws://127.0.0.1:1'], /cannot connect to --worker .*start the server/],
    ['no address is given', [], /no address is given/],
    ['an address is none', ['--stream', 'http://127.0.0.1'], /--stream must be an address such as ws:/],
    ['a rule is unknown', ['--worker', 'ws://127.0.0.1:1', '--only', 'XX-1'], /no rule "XX-1"/],
    ['a time is none', ['--worker', 'ws://127.0.0.1:1', '--timeout', 'soon'], /--timeout must be/],
    ['an option is unknown', ['--workers', 'x'], /Usage:/],
  ])('ends with code 2 and says what to do when %s', async (_matter, parameters, message) => {
    const { code, stderr } = await command(...parameters);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

it('a copy that was not built says what to do, in one line, and exits with 2', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-unbuilt-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'bin'));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  const program = join(directory, 'bin', 'rivulet-conformance.js');
  copyFileSync(COMMAND, program);
  const outcome = await new Promise((resolve) => {
    execFile(process.execPath, [program, '--list'], (error, stdout, stderr) => {
      resolve({ code: error?.code, stdout, stderr });
    });
  });
  expect(outcome).toEqual({ code: 2, stdout: '', stderr: 'rivulet-conformance is not built: run npm run build first\n' });
});
