import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configOf, type ImageConfig, parseDockerfile } from '../deployments/dockerfile.mjs';
import { ROOT } from '../set-up/workspace.mjs';

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The settings of the image of the Dockerfile. */
export function imageConfig(): ImageConfig {
  return configOf(parseDockerfile(read('Dockerfile')).at(-1)?.steps ?? []);
}

/** Returns the variables without a default in a configuration of the image. */
export function neededVariables(config: string): readonly string[] {
  const text = read(config.replace('/etc/rivulet/', 'ops/config/'));
  return [...new Set([...text.matchAll(/^(?!\s*#).*?\$\{(\w+)\}/gm)].map(([, name = '']) => name))].sort();
}

/** Returns the seconds that an ordered stop takes at most, as the page about limits says. */
export function stopSeconds(): number {
  return Number(/An ordered stop takes at most (\d+) s/.exec(read('docs/limits.md'))?.[1]);
}
