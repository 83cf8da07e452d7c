import { fileURLToPath } from 'node:url';

/** Returns the path of a configuration file in `packages/testkit/fixtures/config`. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/config/${name}`, import.meta.url));
}
