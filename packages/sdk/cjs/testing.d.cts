// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
import type * as esm from '../dist/testing.js' with { 'resolution-mode': 'import' };

export type * from '../dist/testing.js' with { 'resolution-mode': 'import' };

export declare const TestEngineError: typeof esm.TestEngineError;
export type TestEngineError = esm.TestEngineError;
export declare const startTestEngine: typeof esm.startTestEngine;
