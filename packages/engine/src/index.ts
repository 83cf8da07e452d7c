export type { Config } from './config/config.js';
export { type BoundListener, type EngineFigures, type EngineOptions, type RunningEngine, startEngine } from './engine.js';
export * from './stream/store.js';
