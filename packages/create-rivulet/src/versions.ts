import { readFileSync } from 'node:fs';

/**
 * The versions of all packages of others that the templates use. A test compares them with the versions with which this repository tests
 * the templates.
 */
export const VERSIONS = {
  '@types/node': '20.19.43',
  '@types/react': '19.3.0',
  '@types/react-dom': '19.3.0',
  '@types/ws': '8.18.2',
  '@vitejs/plugin-react': '6.3.0',
  'happy-dom': '21.0.4',
  react: '19.3.1',
  'react-dom': '19.3.1',
  typescript: '7.0.2',
  vite: '8.3.8',
  vitest: '4.1.12',
  ws: '8.23.0',
} as const;

export type OtherPackage = keyof typeof VERSIONS;

/** The packages of Rivulet that the templates use, each with the packages of Rivulet that it needs. */
export const OUR_PACKAGES = {
  '@rivulet/protocol': [],
  '@rivulet/client': ['@rivulet/protocol'],
  '@rivulet/sdk': ['@rivulet/client', '@rivulet/protocol'],
  '@rivulet/engine': ['@rivulet/client', '@rivulet/protocol', '@rivulet/sdk'],
  rivulet: ['@rivulet/engine'],
} as const satisfies Record<string, readonly string[]>;

export type OurPackage = keyof typeof OUR_PACKAGES;

/** The version of this package. All packages of Rivulet have one version. */
export const OUR_VERSION = versionIn(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

function versionIn(manifest: string): string {
  const { version }: { version: string } = JSON.parse(manifest);
  return version;
}
