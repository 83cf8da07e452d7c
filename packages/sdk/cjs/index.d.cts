// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
export type * from '../dist/index.js' with { 'resolution-mode': 'import' };

type Module = typeof import('../dist/index.js', { with: { 'resolution-mode': 'import' }});

export declare const ChannelReader: Module['ChannelReader'];
export type ChannelReader = import('../dist/index.js', { with: { 'resolution-mode': 'import' }}).ChannelReader;
export declare const ChannelWriter: Module['ChannelWriter'];
export type ChannelWriter = import('../dist/index.js', { with: { 'resolution-mode': 'import' }}).ChannelWriter;
export declare const EngineFunctions: Module['EngineFunctions'];
export declare const EngineTriggers: Module['EngineTriggers'];
export declare const IIIInvocationError: Module['IIIInvocationError'];
export type IIIInvocationError = import('../dist/index.js', { with: { 'resolution-mode': 'import' }}).IIIInvocationError;
export declare const InvocationError: Module['InvocationError'];
export type InvocationError = import('../dist/index.js', { with: { 'resolution-mode': 'import' }}).InvocationError;
export declare const Logger: Module['Logger'];
export type Logger = import('../dist/index.js', { with: { 'resolution-mode': 'import' }}).Logger;
export declare const SDK_ERROR_CODES: Module['SDK_ERROR_CODES'];
export declare const SDK_VERSION: Module['SDK_VERSION'];
export declare const TriggerAction: Module['TriggerAction'];
export declare const http: Module['http'];
export declare const isChannelRef: Module['isChannelRef'];
export declare const registerWorker: Module['registerWorker'];
export declare const state: Module['state'];
export declare const stream: Module['stream'];
