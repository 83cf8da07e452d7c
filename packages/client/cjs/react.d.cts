// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
export type * from '../dist/react.js' with { 'resolution-mode': 'import' };

type Module = typeof import('../dist/react.js', { with: { 'resolution-mode': 'import' }});

export declare const StreamProvider: Module['StreamProvider'];
export declare const useStreamClient: Module['useStreamClient'];
export declare const useStreamGroup: Module['useStreamGroup'];
export declare const useStreamItem: Module['useStreamItem'];
