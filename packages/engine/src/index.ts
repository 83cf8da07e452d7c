export type { Config } from './config/config.js';
export * from './stream/store.js';
