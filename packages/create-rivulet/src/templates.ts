import type { OtherPackage, OurPackage } from './versions.js';

/** A kind of project. Its files are those of its `folders` below `templates`. A file of a later folder replaces one of an earlier one. */
export interface Template {
  readonly summary: string;
  readonly folders: readonly string[];
  readonly dependencies: readonly (OtherPackage | OurPackage)[];
  readonly devDependencies: readonly (OtherPackage | OurPackage)[];
  readonly scripts: Readonly<Record<'dev' | 'test' | 'typecheck' | 'build' | 'engine' | 'worker', string>>;
}

const BUILD_WORKER = 'tsc -p tsconfig.worker.json';
const SCRIPTS = {
  dev: 'node dev.mjs',
  test: 'vitest run',
  typecheck: 'tsc && tsc -p tsconfig.worker.json --noEmit',
  build: `${BUILD_WORKER} && vite build`,
  engine: 'rivulet start',
  worker: 'node dist/worker/main.js',
};
const DEV = ['@rivulet/engine', '@types/node', '@types/ws', 'rivulet', 'typescript', 'vitest', 'ws'] as const;

export const TEMPLATES = {
  react: {
    summary: 'a page in React with optimistic writes and presence, its worker, and tests of both',
    folders: ['base', 'browser', 'react'],
    dependencies: ['@rivulet/client', '@rivulet/sdk', 'react', 'react-dom'],
    devDependencies: [...DEV, '@types/react', '@types/react-dom', '@vitejs/plugin-react', 'happy-dom', 'vite'],
    scripts: SCRIPTS,
  },
  page: {
    summary: 'a page in TypeScript without a framework, its worker, and tests',
    folders: ['base', 'browser', 'page'],
    dependencies: ['@rivulet/client', '@rivulet/sdk'],
    devDependencies: [...DEV, 'vite'],
    scripts: SCRIPTS,
  },
  worker: {
    summary: 'a worker with functions that pages can call, and tests',
    folders: ['base', 'worker'],
    dependencies: ['@rivulet/sdk'],
    devDependencies: ['@rivulet/client', ...DEV],
    scripts: { ...SCRIPTS, build: BUILD_WORKER },
  },
} as const satisfies Record<string, Template>;

export type TemplateName = keyof typeof TEMPLATES;
export const DEFAULT_TEMPLATE: TemplateName = 'react';

export function isTemplate(name: string): name is TemplateName {
  return Object.hasOwn(TEMPLATES, name);
}
