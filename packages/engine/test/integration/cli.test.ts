import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fixture } from '@rivulet/testkit/config-fixtures';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { CliProcess, run } from '@rivulet/testkit/engines/cli-process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { findNodeProblem } from '../../src/cli/engine/node-support.js';
import { ENGINE_VERSION } from '../../src/config/engine-version.js';
import { isLoopback } from '../../src/structures/ip-address.js';
import { ROOT } from '../config-files.js';

const LOCAL = `workers:
  - name: iii-worker-manager
    config: { port: 0, host: 127.0.0.1 }
  - name: iii-stream
    config: { port: 0, host: 127.0.0.1, adapter: { name: kv, config: { store_method: file_based } } }
`;

/** Returns a loopback port that another server holds until the test ends. */
async function takenPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('the command line', () => {
  it('is linked as `rivulet`, also before the first build', () => {
    const linked = join(ROOT, 'node_modules/.bin/rivulet');
    expect(spawnSync(linked, ['version'], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: `${ENGINE_VERSION}\n` });
    const bare = directoryWith();
    mkdirSync(join(bare, 'bin'));
    copyFileSync(join(ROOT, 'packages/engine/bin/rivulet.js'), join(bare, 'bin/rivulet.mjs'));
    const unbuilt = spawnSync(process.execPath, [join(bare, 'bin/rivulet.mjs'), 'version'], { encoding: 'utf8' });
    expect(unbuilt).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('npm run build') });
  });

  it.each([['version'], ['--version']])('%s prints the version', async (word) => {
    expect(await run([word], directoryWith())).toMatchObject({ code: 0, stdout: `${ENGINE_VERSION}\n`, stderr: '' });
  });

  it.each([[['--help']], [['help']], [['start', '-h']]])('%j prints the usage', async (args) => {
    expect(await run(args, directoryWith())).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: rivulet'), stderr: '' });
  });

  it.each<[string[], string]>([
    [[], 'a command is missing'],
    [['begin'], "unknown command 'begin'"],
    [['strat'], "unknown command 'strat'"],
    [['constructor'], "unknown command 'constructor'"],
    [['start', '--port', '1'], '--port'],
    [['start', 'file.yaml'], "too many arguments for 'start'"],
    [['check-config', '--config'], '--config'],
    [['version', '--config', 'x'], '--config'],
  ])('%j is wrong usage: exit 64', async (args, reason) => {
    const { code, stdout, stderr } = await run(args, directoryWith());
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr.split('\n')[0]).toContain(reason);
    expect(stderr).toMatch(/^Usage: rivulet|^Try "rivulet (\S+ )?--help"/m);
  });
});

describe('check-config', () => {
  it('says ok, with the warnings', async () => {
    const { code, stdout, stderr } = await run(['check-config', '-c', fixture('complete-old.yaml')], directoryWith());
    expect({ code, stdout }).toEqual({ code: 0, stdout: `ok ${fixture('complete-old.yaml')}\n` });
    expect(stderr.match(/^warning: /gm)).toHaveLength(6);
  });

  it('takes a path relative to the working directory, and --lenient-config', async () => {
    const cwd = directoryWith({ 'own/a.yaml': 'workers: [{ name: iii-worker-manager, config: { prot: 1 } }]' });
    const strict = await run(['check-config', '--config', 'own/a.yaml'], cwd);
    expect(strict).toMatchObject({ code: 78, stdout: '' });
    expect(strict.stderr).toBe('error: own/a.yaml:1:49 workers[0].config.prot: unknown key "prot", did you mean "port"?\n');
    expect(await run(['check-config', '--config', 'own/a.yaml', '--lenient-config'], cwd)).toMatchObject({ code: 0 });
  });
});

describe('print-config', () => {
  it('CF-1 prints the same for both forms, as YAML and as JSON', async () => {
    const cwd = directoryWith();
    const [old, present, json] = await Promise.all([
      run(['print-config', '-c', fixture('equivalent-old.yaml')], cwd),
      run(['print-config', '-c', fixture('equivalent-new.yaml')], cwd),
      run(['print-config', '--json', '-c', fixture('equivalent-new.yaml')], cwd),
    ]);
    expect(old).toMatchObject({ code: 0, stdout: present.stdout });
    expect(JSON.parse(json.stdout)).toEqual(parse(present.stdout));
    expect(parse(old.stdout)).toMatchObject({
      workers: [
        { name: 'iii-worker-manager' },
        { name: 'iii-stream', config: { port: 3112 } },
        { name: 'iii-state' },
        { name: 'iii-http', config: { port: 3111 } },
        { name: 'iii-observability' },
      ],
    });
  });
});

it('print-config --json prints the problems of a file as JSON, too: exit 78', async () => {
  const cwd = directoryWith({ 'iii-config.yaml': 'workers: [{ name: iii-stream, config: { prot: 1, hots: 2 } }]' });
  const { code, stdout, stderr } = await run(['print-config', '--json'], cwd);
  expect({ code, stderr }).toEqual({ code: 78, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({ ok: false, error: { code: 'INVALID_CONFIG', message: expect.stringMatching(/"prot"[^]*"hots"/) } });
});

describe('an output that cannot be written', () => {
  /** Runs a command line in a shell, which redirects its output. */
  const shell = (script: string) =>
    spawnSync('/bin/sh', ['-c', script, process.execPath, CLI], {
      cwd: directoryWith(),
      encoding: 'utf8',
      env: { PATH: process.env.PATH },
    });

  it.each(['print-config', 'version', '--help', 'doctor --json', 'streams --json'])('%s on a full device: not exit 0', (words) => {
    const { status, stderr } = shell(`"$0" "$1" ${words} > /dev/full`);
    expect(stderr).toMatch(/^error: the output is not complete: ENOSPC.*\(ENOSPC\)\n$/);
    expect(status).toBe(words.startsWith('streams') ? 69 : 1);
  });

  it('a file that takes only a part: exit 1', () => {
    const { status, stderr } = shell('ulimit -f 1; "$0" "$1" --help > help.txt');
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^error: the output is not complete: .*\(EFBIG\)\n$/) });
  });

  it('a reader who has gone: no message', () => {
    const { status, stderr } = shell('"$0" "$1" --help | true');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('a full device for the messages, too: exit 1', () => {
    expect(shell('"$0" "$1" print-config > /dev/full 2> /dev/full').status).toBe(1);
  });
});

describe('a secret that is wrong', () => {
  it.each([
    [['streams', '--json'], { RIVULET_ADMIN_TOKEN: 'secret\r\n#x' }],
    [['streams'], { RIVULET_ADMIN_TOKEN: 'secret\u00fc' }],
    [['get', 's', 'g', 'i', '--json'], { RIVULET_TOKEN: 'secret\r\n#x' }],
    [['groups', 'chat', '--admin-url', 'http://u:secret@127.0.0.1:1'], {}],
    [['groups', 'chat', '--json'], { RIVULET_ADMIN_URL: 'ftp://u:secret@127.0.0.1:1' }],
    [['top', '--admin-url', 'http://127.0.0.1:port/?token=secret'], {}],
    [['get', 's', 'g', 'i'], { RIVULET_URL: 'ws://u:secret@127.0.0.1:1' }],
    [['watch', 's', 'g', '--json', '--stream-url', 'ws://u:secret@127.0.0.1:1'], {}],
  ] as [string[], Record<string, string>][])('%j %j: exit 64, and the secret is not shown', async (words, env) => {
    const { code, stdout, stderr } = await run(words, directoryWith(), env);
    expect({ code, shown: `${stdout}${stderr}` }).toEqual({ code: 64, shown: expect.not.stringContaining('secret') });
    expect(`${stdout}${stderr}`).toContain('INVALID_ARGUMENTS');
  });
});

describe('start with a bad configuration', () => {
  it.each<[string, string, RegExp]>([
    ['a misspelt key', 'auth_funtion: a', /iii-config\.yaml:6:7 workers\[1\]\.config\.auth_funtion: .*auth_function/],
    [
      'a wrong value',
      'port: many',
      /iii-config\.yaml:6:7 workers\[1\]\.config\.port: "many" is not valid; expected a whole number from 0 to 65535/,
    ],
    ['an unknown adapter', 'adapter: { name: redsi }', /iii-config\.yaml:6:18 workers\[1\]\.config\.adapter\.name: .*did you mean redis/],
    ['an unset variable', 'host: ${RIVULET_NOWHERE}', /iii-config\.yaml:6:13: environment variable RIVULET_NOWHERE is not set/],
  ])('CF-5 CF-7 F49 %s: exit 78 before any port is opened', async (_fault, line, message) => {
    // The port is taken. An engine that tried to open it would report that, and exit with 1.
    const text = `workers:\n  - name: iii-worker-manager\n    config: { host: 127.0.0.1, port: ${await takenPort()} }\n  - name: iii-stream\n    config:\n      ${line}\n`;
    const { code, stdout, stderr } = await run(['start'], directoryWith({ 'iii-config.yaml': text }));
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('F49 a store path that is a file: exit 78', async () => {
    const { code, stdout, stderr } = await run(['start'], directoryWith({ 'iii-config.yaml': LOCAL, 'data/streams': 'a file' }));
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toContain('data/streams is a file; file_path names a directory');
  });

  it('a file that is not there: exit 78', async () => {
    expect(await run(['start', '--config', 'absent.yaml'], directoryWith())).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('absent.yaml'),
    });
  });
});

describe('start', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('prints the ready line alone on stdout, and stops in order on %s', async (signal) => {
    const engine = new CliProcess(['start'], directoryWith({ 'iii-config.yaml': LOCAL }));
    await engine.ready();
    engine.signal(signal);
    const { code, stdout, stderr } = await engine.finished;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ready worker=ws:\/\/127\.0\.0\.1:[1-9]\d* stream=ws:\/\/127\.0\.0\.1:[1-9]\d*\n$/);
    expect(stderr).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d info config_loaded file=\S+iii-config\.yaml$/m);
    expect(stderr).toMatch(new RegExp(`info stopping signal=${signal}\n.* info stopped\n$`));
    const { lastDay } = findNodeProblem(process.versions.node, new Date()) ?? {};
    expect(stderr.match(/(?<= warn node_end_of_life .*last_day=)\S+/g) ?? []).toEqual(lastDay === undefined ? [] : [lastDay]);
  });

  it.each([
    ['127.0.0.1', (port: string) => `http://127.0.0.1:${port}/`],
    ['"::1"', (port: string) => `http://[::1]:${port}/`],
    ['0.0.0.0', (port: string) => `http://localhost:${port}/`],
  ])('logs the address of the inspector on an admin listener at %s', async (host, url) => {
    const admin = `  - name: rivulet-admin\n    config: { port: 0, host: ${host}, token: a-token-of-32-characters-in-tests }\n`;
    const engine = new CliProcess(['start'], directoryWith({ 'rivulet.yaml': `${LOCAL}${admin}` }));
    await engine.ready();
    engine.signal('SIGTERM');
    const { stdout, stderr } = await engine.finished;
    const port = / admin=http:\/\/\S+:(\d+)\n$/.exec(stdout)?.[1] ?? 'no port';
    // The text format puts a value with brackets into quotes.
    expect(stderr.replaceAll('"', '')).toContain(` info inspector_open url=${url(port)}\n`);
  });

  it('reads rivulet.yaml, and warns of an iii-config.yaml that is not read', async () => {
    const text = LOCAL.replaceAll('iii-', 'rivulet-');
    const engine = new CliProcess(['start'], directoryWith({ 'rivulet.yaml': text, 'iii-config.yaml': 'not: read' }));
    await engine.ready();
    engine.signal('SIGTERM');
    const { code, stderr } = await engine.finished;
    expect(code).toBe(0);
    expect(stderr).toMatch(/ info config_loaded file=\S+rivulet\.yaml$/m);
    expect(stderr).toMatch(/ warn config_file_not_read message="iii-config\.yaml is not read, because rivulet\.yaml is read; /);
  });

  it.each<[string, string]>([
    ['iii-worker-manager', 'config: { host: 127.0.0.1, port: PORT } }, { name: iii-stream, config: { host: 127.0.0.1, port: 0 } }'],
    ['iii-stream', 'config: { host: 127.0.0.1, port: 0 } }, { name: iii-stream, config: { host: 127.0.0.1, port: PORT } }'],
    ['rivulet-stream', 'config: { host: 127.0.0.1, port: 0 } }, { name: rivulet-stream, config: { host: 127.0.0.1, port: PORT } }'],
  ])('CF-11 F50 names the port in use of %s: exit 1', async (entry, list) => {
    const port = await takenPort();
    const manager = entry.replace(/-.*/, '-worker-manager');
    const text = `workers: [{ name: ${manager}, ${list.replace('PORT', String(port))}]`;
    const { code, stdout, stderr } = await run(['start'], directoryWith({ 'iii-config.yaml': text }));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`error start_failed code=EADDRINUSE reason="${entry}: port ${port} is in use; `));
  });

  it('warns loudly of a stream port that others can reach and that asks nobody', async () => {
    const port = await takenPort();
    const text = `workers: [{ name: iii-worker-manager, config: { host: 127.0.0.1, port: 0 } }, { name: iii-stream, config: { host: 0.0.0.0, port: ${port} } }]`;
    // The port is taken, so this test never listens beyond loopback.
    const { code, stderr } = await run(['start'], directoryWith({ 'iii-config.yaml': text }));
    expect(code).toBe(1);
    expect(stderr).toMatch(/warn stream_without_auth host=0\.0\.0\.0 .*ANYONE/);
    expect(stderr).toMatch(/warn store_in_memory message=".*restarts lose data/);
  });

  it('CF-8 warns of the files of another engine', async () => {
    const engine = new CliProcess(['start'], directoryWith({ 'iii-config.yaml': LOCAL, 'data/streams/chat.bin': 'theirs' }));
    await engine.output('stderr', /warn foreign_files message=".*chat\.bin/);
    await engine.ready();
  });

  it('logs one JSON object a line with format json, at the level asked for', async () => {
    const text = `${LOCAL}  - name: iii-observability\n    config: { format: json, level: info }\n`;
    const engine = new CliProcess(['start'], directoryWith({ 'iii-config.yaml': text }), { RIVULET_LOG_FORMAT: '' });
    await engine.ready();
    engine.signal('SIGTERM');
    const { stderr } = await engine.finished;
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ event }) => event)).toEqual(expect.arrayContaining(['config_loaded', 'stopping', 'stopped']));
    for (const line of lines) expect(line).toMatchObject({ level: expect.any(String), time: expect.stringMatching(/^\d{4}-/) });
  });

  it('CF-8 makes a directory of file_path, also when it ends in .db', async () => {
    const text = LOCAL.replace('store_method: file_based', 'store_method: file_based, file_path: kept/kv.db');
    const cwd = directoryWith({ 'iii-config.yaml': text });
    const engine = new CliProcess(['start'], cwd);
    await engine.ready();
    expect(statSync(join(cwd, 'kept/kv.db')).isDirectory()).toBe(true);
    expect(readdirSync(cwd).sort()).toEqual(['iii-config.yaml', 'kept']);
  });

  it('gives an ordered stop up at a second signal: exit 1', async () => {
    const text = LOCAL.replace('adapter:', 'drain_delay_ms: 6000, adapter:');
    const engine = new CliProcess(['start'], directoryWith({ 'iii-config.yaml': text }));
    const [, stream = ''] = await engine.ready();
    const client = new WebSocket(stream);
    await once(client, 'open');
    onTestFinished(() => client.terminate());
    engine.signal('SIGTERM');
    await engine.output('stderr', /info stopping signal=SIGTERM/);
    engine.signal('SIGINT');
    const { code, stderr } = await engine.finished;
    expect(code).toBe(1);
    expect(stderr).toContain('error stop_abandoned reason="second SIGINT"');
  });

  it.each([
    ['uncaught_exception', 'throw new Error("boom")'],
    ['unhandled_rejection', 'void Promise.reject(new Error("boom"))'],
  ])('logs an %s once and exits with 1', async (event, fault) => {
    const injected = `data:text/javascript,${encodeURIComponent(`process.once("SIGUSR2", () => { ${fault}; });`)}`;
    const engine = new CliProcess(['start'], directoryWith({ 'iii-config.yaml': LOCAL }), { NODE_OPTIONS: `--import=${injected}` });
    await engine.ready();
    engine.signal('SIGUSR2');
    const { code, stderr } = await engine.finished;
    expect(code).toBe(1);
    expect(stderr.match(new RegExp(`^.* error ${event} error="Error: boom`, 'gm'))).toHaveLength(1);
    expect(stderr.match(/ error /g)).toHaveLength(1);
  });
});

describe('loopback', () => {
  it.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost'])('is %s', (host) => expect(isLoopback(host)).toBe(true));
  it.each(['0.0.0.0', '::', '10.0.0.1', '127.example.com', 'example.com'])("isn't %s", (host) => expect(isLoopback(host)).toBe(false));
});

it.each(['start', 'check-config', 'compact'])('%s names a configuration file that cannot be looked up, without a stack', async (name) => {
  const cwd = directoryWith();
  symlinkSync('iii-config.yaml', join(cwd, 'iii-config.yaml'));
  const { code, stderr } = await run([name], cwd);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^error: ELOOP.*; correct the symbolic link \(ELOOP\)\n$/) });
});

describe('the log of start', () => {
  it('is JSON without a terminal; options win over the environment, and that over the file', async () => {
    const text = `${LOCAL}  - name: iii-observability\n    config: { level: error }\n`;
    const logOf = async (words: readonly string[], env: Readonly<Record<string, string>>) => {
      const engine = new CliProcess(['start', ...words], directoryWith({ 'iii-config.yaml': text }), { RIVULET_LOG_FORMAT: '', ...env });
      await engine.ready();
      engine.signal('SIGTERM');
      return (await engine.finished).stderr;
    };
    const [plain, environment, options] = await Promise.all([
      logOf([], {}),
      logOf([], { RIVULET_LOG_LEVEL: 'INFO' }),
      logOf(['--log-level', 'info', '--log-format', 'text'], { RIVULET_LOG_LEVEL: 'error', RIVULET_LOG_FORMAT: 'json' }),
    ]);
    expect(plain).toBe('');
    expect(JSON.parse(environment.split('\n')[0] ?? '')).toMatchObject({ level: 'info', event: 'config_loaded' });
    expect(options).toMatch(/^\S+ info config_loaded /);
  });

  it.each([
    [['--log-level', 'loud'], {}, /^error: --log-level or RIVULET_LOG_LEVEL is "loud", which is not known; known: trace, debug, /],
    [
      [],
      { RIVULET_LOG_FORMAT: 'xml' },
      /^error: --log-format or RIVULET_LOG_FORMAT is "xml", which is not known; known: auto, text, json\n$/,
    ],
  ])('%j with %j is wrong usage', async (words, env, message) => {
    const { code, stdout, stderr } = await run(['start', ...words], directoryWith({ 'iii-config.yaml': LOCAL }), env);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('has a line for each connection, join, call and refusal at debug, with ids and without payloads', async () => {
    const engine = new CliProcess(['start', '--log-level', 'debug'], directoryWith({ 'iii-config.yaml': LOCAL }));
    const [worker = '', stream = ''] = await engine.ready();
    const caller = new WebSocket(worker);
    await once(caller, 'open');
    const call = (function_id: string, data: object) => caller.send(JSON.stringify({ type: 'invokefunction', function_id, data }));
    call('stream::set', { stream_name: 'chat', group_id: 'room', item_id: 'a', data: 'a secret value' });
    call('app::absent', { text: 'a secret value' });
    const [, id = ''] = await engine.output('stderr', /connection_opened listener=worker session=(\S+) address=127\.0\.0\.1/);
    await engine.output('stderr', new RegExp(`debug function_called function=stream::set worker=${id}\n`));
    await engine.output('stderr', new RegExp(`debug call_failed function=app::absent worker=${id} code=function_not_found\n`));
    const client = new WebSocket(`${stream}/stream/chat/room?token=a-secret-value`);
    const [, session = ''] = await engine.output('stderr', /debug connection_opened listener=stream session=(\S+) /);
    await engine.output('stderr', new RegExp(`debug client_joined session=${session} subscription=\\S+ stream=chat group=room\n`));
    client.close();
    await engine.output(
      'stderr',
      new RegExp(`debug connection_closed listener=stream session=${session} address=127\\.0\\.0\\.1 code=1005\n`),
    );
    const refused = new WebSocket(`${stream}/nowhere`);
    refused.on('error', () => {});
    await engine.output('stderr', /debug upgrade_refused listener=stream status=404 address=127\.0\.0\.1\n/);
    caller.close();
    engine.signal('SIGTERM');
    expect((await engine.finished).stderr).not.toMatch(/secret/);
  });
});
