// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
import type * as esm from '../dist/vue.js' with { 'resolution-mode': 'import' };

export type * from '../dist/vue.js' with { 'resolution-mode': 'import' };

export declare const useConnection: typeof esm.useConnection;
export declare const useStreamGroup: typeof esm.useStreamGroup;
export declare const useStreamItem: typeof esm.useStreamItem;
export declare const usePresence: typeof esm.usePresence;
export declare const useCall: typeof esm.useCall;
