// CommonJS: Node 20.19 loads the module of the package with `require`. Every value of the package is named here; a test compares.
export type * from '../dist/state.js' with { 'resolution-mode': 'import' };

type Module = typeof import('../dist/state.js', { with: { 'resolution-mode': 'import' }});

export declare const StateEventType: Module['StateEventType'];
export type StateEventType = import('../dist/state.js', { with: { 'resolution-mode': 'import' }}).StateEventType;
export declare const state: Module['state'];
