// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
import type * as esm from '../dist/svelte.js' with { 'resolution-mode': 'import' };

export type * from '../dist/svelte.js' with { 'resolution-mode': 'import' };

export declare const connectionState: typeof esm.connectionState;
export declare const streamGroup: typeof esm.streamGroup;
export declare const streamItem: typeof esm.streamItem;
export declare const presence: typeof esm.presence;
export declare const functionCall: typeof esm.functionCall;
