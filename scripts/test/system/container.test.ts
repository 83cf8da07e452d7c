import { createHmac } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { buildImage, type Image, imageProblem } from '../../deployments/image.mjs';
import { deploymentTool } from '../../set-up/deployment-tools.mjs';
import { ROOT } from '../../set-up/workspace.mjs';
import { read } from '../deployment-files.js';
import { Pod } from '../pod.js';

const base = deploymentTool(ROOT, 'base');
const problem = imageProblem() ?? ('missing' in base ? base.missing : undefined);
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const SECRETS = {
  WORKER_TOKEN: 'the-token-of-workers',
  ADMIN_TOKEN: 'the-token-of-operators',
  JWT_SECRET: 'a-secret-of-at-least-thirty-two-bytes',
};
const ADMIN = ['--header', `Authorization: Bearer ${SECRETS.ADMIN_TOKEN}`];
const ITEM = '/api/streams/chat/groups/room-1/items/m1';
const STATUS = { zombie: /^State:\tZ/m, identity: /^Uid:\t(\d+)\t.*\nGid:\t(\d+)/m, rights: /^CapEff:\t0+\nCapBnd:\t0+/m };

/** Makes a folder for a volume with this owner and mode. */
function makeVolume(uid: number, gid: number, mode: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-volume-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const volume = join(folder, 'data');
  mkdirSync(volume);
  chownSync(volume, uid, gid);
  chmodSync(volume, mode);
  return volume;
}

describe.skipIf(problem !== undefined)(`the image of the Dockerfile${why}`, () => {
  let image: Image;
  beforeAll(async () => {
    image = await buildImage(ROOT, 'path' in base ? base.path : '');
  }, 900_000);

  const write = (pod: Pod, data: string, item = 'm1') =>
    pod.curl(3113, ITEM.replace('m1', item), ...ADMIN, '--request', 'PUT', '--header', 'Content-Type: application/json', '--data', data);

  test('runs as process 1, not root, on a root without write access, until SIGTERM, and its health check shows it', async () => {
    const pod = await Pod.start(image);
    // As Docker makes a volume: with the owner and the mode of the folder in the image.
    const { uid, gid, mode } = statSync(join(image.layers[0] ?? '', 'data'));
    const options = { volume: makeVolume(uid, gid, mode & 0o7777), env: SECRETS };
    expect(await pod.healthCheck(options)).toBe(1);
    const container = pod.run(options);
    await container.ready();
    const [first = '', ...others] = container.processes();
    expect(first).toMatch(/^Name:\t(node|MainThread)\n[^]*^Pid:\t1$/m);
    expect(STATUS.identity.exec(first)?.slice(1)).toEqual(['10001', '10001']);
    expect(first).toMatch(STATUS.rights);
    expect(others.filter((each) => STATUS.zombie.test(each))).toEqual([]);
    expect(container.exec('touch', '/tmp/file')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Read-only file system') as string,
    });
    expect(await pod.healthCheck(options)).toBe(0);
    // The commands of the documentation, in their order. `docker cp` is none of the container.
    const commands = [...read('docs/deploying.md').matchAll(/^docker exec rivulet (.+)$/gm)].map(([, command = '']) => command);
    expect(commands.map((command) => command.split(' ', 2).join(' '))).toEqual([
      'rivulet doctor',
      'rivulet backup',
      'rivulet export',
      'rm -r',
    ]);
    for (const command of commands)
      expect([command, container.exec(...command.split(' '))]).toEqual([
        command,
        { code: 0, stdout: expect.any(String) as string, stderr: '' },
      ]);
    container.signal('SIGTERM');
    const { code, stderr } = await container.ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining('"event":"stopped"')]);
    expect(await pod.healthCheck(options)).toBe(1);
  });

  test('keeps its data when a container is replaced, after a stop and after a kill', async () => {
    const pod = await Pod.start(image);
    const options = { volume: makeVolume(10_001, 10_001, 0o755), env: SECRETS };
    const read = async () => {
      const { status, body } = await pod.curl(3113, ITEM, ...ADMIN);
      return status === 200 ? (JSON.parse(body) as { readonly data: unknown }).data : status;
    };
    for (const [round, signal] of (['SIGTERM', 'SIGKILL', 'SIGTERM'] as const).entries()) {
      const container = pod.run(options);
      await container.ready();
      // The check of the store is a child process. It has ended, and process 1 has collected it.
      expect(container.processes().filter((each) => STATUS.zombie.test(each))).toEqual([]);
      expect(await read()).toBe(round === 0 ? 404 : round);
      expect((await write(pod, String(round + 1))).status).toBe(200);
      container.signal(signal);
      expect((await container.ended).code === 0).toBe(signal === 'SIGTERM');
    }
  });

  test.each([
    // A volume as the kubelet makes it with `fsGroup: 10001`.
    { name: '10001:10001 with fsGroup', user: '10001:10001', groups: [10_001], volume: [0, 10_001, 0o2775] },
    // OpenShift takes an id of the namespace, and the group root.
    { name: 'an arbitrary id with the group root', user: '1000680000:0', groups: [], volume: [0, 0, 0o770] },
    { name: 'an arbitrary id with fsGroup', user: '1000680000:0', groups: [1_000_680_000], volume: [0, 1_000_680_000, 0o2775] },
  ] as const)('works as another user: $name', async ({ user, groups, volume: [uid, gid, mode] }) => {
    const pod = await Pod.start(image);
    const options = { user, groups, volume: makeVolume(uid, gid, mode), env: SECRETS };
    for (const [before, after] of [
      [404, '1'],
      [200, '2'],
    ] as const) {
      const container = pod.run(options);
      await container.ready();
      expect((await pod.curl(3113, ITEM, ...ADMIN)).status).toBe(before);
      expect((await write(pod, after)).status).toBe(200);
      container.signal('SIGTERM');
      expect((await container.ended).code).toBe(0);
    }
    expect(statSync(join(options.volume, 'streams')).mode & 0o077).toBe(0);
  });

  test('can be reached from outside at all ports, and lets in nobody without a token', async () => {
    const pod = await Pod.start(image);
    const container = pod.run({ volume: makeVolume(10_001, 10_001, 0o755), env: SECRETS });
    await container.ready();
    const upgrade = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ];
    const socket = upgrade.flatMap((header) => ['--header', header]);
    expect((await pod.curl(49_134, '/', ...socket)).status).toBe(401);
    expect((await pod.curl(3112, '/stream/chat/room-1')).status).toBe(401);
    expect((await pod.curl(3111, '/nothing')).status).toBe(404);
    expect((await pod.curl(3113, '/ready')).status).toBe(200);
    expect((await pod.curl(3113, ITEM)).status).toBe(401);
    expect((await pod.curl(3113, ITEM, ...ADMIN)).status).toBe(404);
  });

  test('keeps large answers in files below its volume, also when the store is a Redis', async () => {
    const pod = await Pod.start(image);
    const volume = makeVolume(0, 0, 0o777);
    await pod.accompany('redis-server', ['--bind', '127.0.0.1', '--save', '', '--dir', volume], 'Ready to accept connections');
    const cmd = [...image.config.cmd.slice(0, -1), '/etc/rivulet/rivulet-redis.yaml'];
    const container = pod.run({ volume, cmd, env: { ...SECRETS, REDIS_URL: 'redis://127.0.0.1:6379' } });
    await container.ready();
    // More than `builtSyncBytes` of docs/limits.md.
    const body = join(volume, 'body.json');
    writeFileSync(body, JSON.stringify('x'.repeat(900_000)));
    for (let item = 0; item < 20; item++) expect((await write(pod, `@${body}`, String(item))).status).toBe(200);
    const [head, claims] = [{ alg: 'HS256' }, { sub: 'ada', exp: 4_000_000_000, rivulet: { join: ['chat/*'] } }].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = createHmac('sha256', SECRETS.JWT_SECRET).update(`${head}.${claims}`).digest('base64url');
    const stream = `http://${pod.address}:3112/stream/chat/room-1?token=${head}.${claims}.${signature}`;
    // The last event of the state has an id.
    const script = `grep -m1 '^id: ' < <(curl --silent --no-buffer --header 'Accept: text/event-stream' '${stream}')`;
    await pod.accompany('bash', ['-c', script], 'id: ');
    container.signal('SIGTERM');
    const { code, stderr } = await container.ended;
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('spool_full') as string]);
  });

  test.each(Object.keys(SECRETS))('does not start without %s, and says so', async (name) => {
    const pod = await Pod.start(image);
    const env = Object.fromEntries(Object.entries(SECRETS).filter(([key]) => key !== name));
    const { code, stderr } = await pod.run({ volume: makeVolume(10_001, 10_001, 0o755), env }).ended;
    expect([code, stderr]).toEqual([78, expect.stringContaining(name)]);
  });
});
