import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { deploymentTool } from '../../set-up/deployment-tools.mjs';
import { ROOT } from '../../set-up/workspace.mjs';
import { imageConfig, neededVariables, read, stopSeconds } from '../deployment-files.js';

interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[] | null;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly host_ip: string; readonly published: string; readonly target: number }[];
  readonly volumes: readonly { readonly type: string; readonly source: string; readonly target: string }[];
  readonly networks: Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt: readonly string[];
  readonly stop_grace_period?: string;
}

interface Project {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<
    Record<
      string,
      {
        readonly internal?: boolean;
        readonly ipam?: { readonly config?: readonly { readonly subnet: string; readonly gateway: string }[] };
      }
    >
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const IMAGE = imageConfig();
const reader = deploymentTool(ROOT, 'compose');
const SECRETS = { WORKER_TOKEN: 'w', JWT_SECRET: 'j', ADMIN_TOKEN: 'a' };

/** Reads a Compose file as Docker does: against its schema, and with all defaults. The reader takes no variable of the environment. */
async function load(text: string): Promise<Project> {
  if ('missing' in reader) throw new Error(reader.missing);
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-compose-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const place = join(folder, 'ops/compose');
  mkdirSync(place, { recursive: true });
  copyFileSync(join(ROOT, 'Dockerfile'), join(folder, 'Dockerfile'));
  const given = Object.entries(SECRETS).reduce(
    (all, [name, value]) => all.replaceAll(new RegExp(`\\$\\{${name}:\\?[^}]+\\}`, 'g'), value),
    text,
  );
  writeFileSync(join(place, 'compose.yaml'), given);
  const { stdout } = await promisify(execFile)(reader.path, ['-format', 'json', 'compose.yaml'], { cwd: place });
  return JSON.parse(stdout.replaceAll(folder, '/root')) as Project;
}

describe.skipIf('missing' in reader)(`the Compose files${'missing' in reader ? ` (skipped: NO_COMPOSE: ${reader.missing})` : ''}`, () => {
  test.each([
    { file: 'compose.yaml', config: IMAGE.cmd.at(-1) ?? '', stores: [] },
    { file: 'compose.redis.yaml', config: '/etc/rivulet/rivulet-redis.yaml', stores: ['redis'] },
  ])('$file runs the image with all secrets, no rights and time to stop', async ({ file, config, stores }) => {
    const { services, networks, volumes } = await load(read(`ops/compose/${file}`));
    const { engine, ...others } = services;
    if (engine === undefined) throw new Error('no engine');
    expect(Object.keys(others)).toEqual(stores);
    expect(engine.build).toEqual({ context: '/root', dockerfile: 'Dockerfile' });
    expect(existsSync(join(ROOT, config.replace('/etc/rivulet', 'ops/config')))).toBe(true);
    expect(engine.command ?? IMAGE.cmd).toEqual([...IMAGE.cmd.slice(0, -1), config]);
    const { TRUSTED_PROXY: proxy, ...environment } = engine.environment ?? {};
    expect(Object.keys(environment).sort()).toEqual(neededVariables(config));
    // The engine sees a proxy of this machine as the gateway of the network with the ports.
    const [{ subnet, gateway } = { subnet: '', gateway: '' }] = networks.default?.ipam?.config ?? [];
    expect([proxy, subnet]).toEqual([gateway, gateway.replace(/\.1$/, '.0/24')]);
    expect(gateway).toMatch(/^172\.31\.\d+\.1$/);
    expect(environment).toMatchObject(SECRETS);
    // Temporary files need a place too, when the stores are elsewhere.
    expect(engine.volumes.map(({ target }) => target)).toEqual([IMAGE.env.TMPDIR]);
    expect(new Set(engine.ports?.map(({ target }) => target))).toEqual(new Set(IMAGE.ports));
    for (const { host_ip, published, target } of engine.ports ?? []) expect([host_ip, published]).toEqual(['127.0.0.1', String(target)]);
    expect(engine).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(Number.parseInt(engine.stop_grace_period ?? '0')).toBeGreaterThan(stopSeconds());
    for (const store of stores) {
      expect(engine.depends_on?.[store]?.condition).toBe('service_healthy');
      // Nothing but the engine reaches the Redis.
      expect(others[store]?.ports).toBeUndefined();
      expect(Object.keys(others[store]?.networks ?? {}).map((name) => networks[name]?.internal)).toEqual([true]);
    }
    const mounts = Object.values(services).flatMap((service) => service.volumes ?? []);
    expect(mounts.map(({ source }) => source).sort()).toEqual(Object.keys(volumes).sort());
  });

  test('a misspelt key is found', async () => {
    await expect(load(read('ops/compose/compose.yaml').replace('read_only', 'read_onl'))).rejects.toThrow('read_onl');
  });
});
