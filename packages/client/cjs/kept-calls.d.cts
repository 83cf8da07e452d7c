// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
import type * as esm from '../dist/kept-calls.js' with { 'resolution-mode': 'import' };

export type * from '../dist/kept-calls.js' with { 'resolution-mode': 'import' };

export declare const keepCalls: typeof esm.keepCalls;
