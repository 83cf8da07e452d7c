// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
import type * as esm from '../dist/index.js' with { 'resolution-mode': 'import' };

export type * from '../dist/index.js' with { 'resolution-mode': 'import' };

export declare const StreamError: typeof esm.StreamError;
export type StreamError = esm.StreamError;
export declare const connect: typeof esm.connect;
export declare const indexedDbStore: typeof esm.indexedDbStore;
