// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
import type * as esm from '../dist/optimistic.js' with { 'resolution-mode': 'import' };

export type * from '../dist/optimistic.js' with { 'resolution-mode': 'import' };

export declare const optimistic: typeof esm.optimistic;
