// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
export type * from '../dist/index.js' with { 'resolution-mode': 'import' };

type Module = typeof import('../dist/index.js', { with: { 'resolution-mode': 'import' }});

export declare const StreamError: Module['StreamError'];
export type StreamError = import('../dist/index.js', { with: { 'resolution-mode': 'import' }}).StreamError;
export declare const connect: Module['connect'];
export declare const indexedDbStore: Module['indexedDbStore'];
