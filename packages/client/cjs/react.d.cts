// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
import type * as esm from '../dist/react.js' with { 'resolution-mode': 'import' };

export type * from '../dist/react.js' with { 'resolution-mode': 'import' };

export declare const StreamProvider: typeof esm.StreamProvider;
export declare const createHooks: typeof esm.createHooks;
export declare const useConnection: typeof esm.useConnection;
export declare const useStreamClient: typeof esm.useStreamClient;
export declare const useStreamGroup: typeof esm.useStreamGroup;
export declare const useStreamItem: typeof esm.useStreamItem;
export declare const useSuspenseStreamGroup: typeof esm.useSuspenseStreamGroup;
export declare const useSuspenseStreamItem: typeof esm.useSuspenseStreamItem;
export declare const usePresence: typeof esm.usePresence;
export declare const useCall: typeof esm.useCall;
