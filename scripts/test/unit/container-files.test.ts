import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { contextFiles } from '../../deployments/build-context.mjs';
import { configOf, parseDockerfile } from '../../deployments/dockerfile.mjs';
import { ROOT } from '../../set-up/workspace.mjs';
import { imageConfig, neededVariables, read, stopSeconds } from '../deployment-files.js';

const stages = parseDockerfile(read('Dockerfile'));
const image = imageConfig();
const DOCUMENT = read('docs/deploying.md');
interface Entry {
  readonly name: string;
  readonly config?: { readonly host?: string; readonly port?: number };
}

describe('the Dockerfile', () => {
  it('builds on Node 24, or on the image that an argument names', () => {
    expect(stages[0]?.from).toBe('node:24-bookworm-slim');
    const pinned = parseDockerfile(read('Dockerfile'), { NODE_IMAGE: 'node:24@sha256:0', VERSION: '1.2.3' });
    expect(pinned.map(({ from }) => from)).toEqual(['node:24@sha256:0', 'manifests', 'manifests', 'node:24@sha256:0']);
    expect(configOf(pinned.at(-1)?.steps ?? []).labels['org.opencontainers.image.version']).toBe('1.2.3');
  });

  it('copies the manifest and the result of each package that the engine needs', () => {
    const needed = new Set(['engine']);
    for (const name of needed) {
      const { dependencies = {} } = JSON.parse(read(`packages/${name}/package.json`)) as { dependencies?: Record<string, string> };
      for (const each of Object.keys(dependencies)) if (each.startsWith('@rivulet/')) needed.add(each.slice('@rivulet/'.length));
    }
    const sources = (stage: string) =>
      (stages.find(({ name }) => name === stage)?.steps ?? []).filter(({ instruction }) => instruction === 'COPY').map(({ rest }) => rest);
    for (const name of needed) {
      expect(sources('manifests')).toContain(`packages/${name}/package.json packages/${name}/`);
      for (const path of [`/rivulet/packages/${name}`, `/rivulet/packages/${name}/dist`])
        expect(sources('engine')).toContain(`${path} ${path}`);
    }
  });

  it('copies the scripts that the engine runs inside a Redis', () => {
    const [, folder = ''] = /'(src\/[\w/]+)'/.exec(read('packages/engine/src/store/redis/scripts.ts')) ?? [];
    const copied = stages.at(-1)?.steps.map(({ rest }) => rest);
    expect(copied).toContain(`packages/engine/${folder} /rivulet/packages/engine/${folder}`);
    expect(contextFiles(ROOT, read('.dockerignore'))).toContain(`packages/engine/${folder}/opening.lua`);
  });

  it('runs no script of a package', () => {
    const installs = stages.flatMap((stage) => stage.steps.filter(({ rest }) => rest.includes('npm ')).map(({ rest }) => rest));
    expect(installs).toHaveLength(2);
    for (const install of installs) expect(install).toMatch(/^npm ci --ignore-scripts /);
  });

  it('exposes the ports of its configuration, which exists, and runs as a number', () => {
    const path = image.cmd.at(-1)?.replace('/etc/rivulet', 'ops/config') ?? '';
    expect(existsSync(join(ROOT, path))).toBe(true);
    const { workers } = parse(read(path).replaceAll(/\$\{\w+(?::([^}]*))?\}/g, '$1')) as { workers: Entry[] };
    expect(image.ports).toEqual(workers.flatMap(({ config }) => config?.port ?? []));
    expect(image.user).toMatch(/^[1-9]\d+:[1-9]\d+$/);
    expect(image.env).toMatchObject({ LISTEN: '0.0.0.0', TMPDIR: image.volumes[0] });
    expect([image.volumes, image.workdir, image.stopSignal]).toEqual([['/data'], '/', 'SIGTERM']);
  });

  it('is refused with an instruction that the parser does not know', () => {
    expect(() => parseDockerfile('FROM a AS b\nSHELL ["sh"]')).toThrow('SHELL');
    expect(() => parseDockerfile('RUN true')).toThrow('FROM');
  });
});

describe('the build context', () => {
  it('has the sources that the build needs, and nothing that git does not have', () => {
    const files = contextFiles(ROOT, read('.dockerignore'));
    expect(files).toContain('packages/engine/src/engine.ts');
    expect(files).toContain('package-lock.json');
    expect(files.filter((file) => /(^|\/)(dist|node_modules|test|\.git|\.rivulet)\/|\.env|(^|\/)data\//.test(file))).toEqual([]);
  });
});

describe('docs/deploying.md', () => {
  it('lists the variables of both configurations', () => {
    const used = ['ops/config/rivulet.yaml', 'ops/config/rivulet-redis.yaml'].flatMap((path) =>
      [...read(path).matchAll(/^(?!\s*#).*?\$\{(\w+)(:?)/gm)].map(([, name = '', colon]) => `${name} ${colon === ''}`),
    );
    const listed = [...DOCUMENT.matchAll(/^\| `([A-Z_]+)` \| (\w+)/gm)].map(([, name = '', needed]) => `${name} ${needed !== 'no'}`);
    expect(new Set(listed)).toEqual(new Set(used));
  });

  it('gives a container the time of an ordered stop', () => {
    const [, seconds] = /--stop-timeout (\d+)/.exec(DOCUMENT) ?? [];
    expect(Number(seconds)).toBeGreaterThan(stopSeconds());
    for (const [, port] of DOCUMENT.matchAll(/--publish 127\.0\.0\.1:\d+:(\d+)/g)) expect(image.ports).toContain(Number(port));
  });

  it('pushes and names the image before it applies the manifests', () => {
    const positions = ['docker push ', 'images: [{ name: rivulet, newName: registry', 'kubectl apply '].map((text) =>
      DOCUMENT.indexOf(text),
    );
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    expect(positions[0]).toBeGreaterThan(0);
  });

  it('makes the secrets that both configurations need, and names only files that exist', () => {
    const [, names = ''] = /^for name in ([A-Z_ ]+); do/m.exec(DOCUMENT) ?? [];
    expect(names.split(' ').sort()).toEqual(neededVariables('/etc/rivulet/rivulet.yaml'));
    expect(neededVariables('/etc/rivulet/rivulet-redis.yaml')).toEqual([...names.split(' '), 'REDIS_URL'].sort());
    const paths = [...DOCUMENT.matchAll(/(?<![\w/])ops\/[\w./-]+\w/g)].map(([path]) => path);
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
