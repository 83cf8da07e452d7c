export type {
  AdminConfig,
  Config,
  ExposeRule,
  HttpConfig,
  JwtAlgorithm,
  JwtConfig,
  JwtGrants,
  JwtKeySource,
  RbacConfig,
  StateConfig,
  StreamConfig,
  WorkerManagerConfig,
} from './config/config.js';
export { ConfigError, type ConfigProblem } from './config/config-error.js';
export { loadConfig } from './config/loading/load-config.js';
export { type BoundListener, type EngineFigures, type EngineOptions, type RunningEngine, startEngine } from './engine.js';
export * from './store/store.js';
