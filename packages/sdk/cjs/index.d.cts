// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
import type * as esm from '../dist/index.js' with { 'resolution-mode': 'import' };

export type * from '../dist/index.js' with { 'resolution-mode': 'import' };

export declare const ChannelReader: typeof esm.ChannelReader;
export type ChannelReader = esm.ChannelReader;
export declare const ChannelWriter: typeof esm.ChannelWriter;
export type ChannelWriter = esm.ChannelWriter;
export declare const EngineFunctions: typeof esm.EngineFunctions;
export declare const EngineTriggers: typeof esm.EngineTriggers;
export declare const IIIInvocationError: typeof esm.IIIInvocationError;
export type IIIInvocationError = esm.IIIInvocationError;
export declare const InvocationError: typeof esm.InvocationError;
export type InvocationError = esm.InvocationError;
export declare const Logger: typeof esm.Logger;
export type Logger = esm.Logger;
export declare const SDK_ERROR_CODES: typeof esm.SDK_ERROR_CODES;
export declare const SDK_VERSION: typeof esm.SDK_VERSION;
export declare const TriggerAction: typeof esm.TriggerAction;
export declare const http: typeof esm.http;
export declare const isChannelRef: typeof esm.isChannelRef;
export declare const registerWorker: typeof esm.registerWorker;
export declare const state: typeof esm.state;
export declare const stream: typeof esm.stream;
