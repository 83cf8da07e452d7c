export { TestEngineError, type TestEngineErrorCode } from './testing/errors.js';
export type { TestLogLine } from './testing/messages.js';
export { startTestEngine, type TestEngine, type TestEngineOptions } from './testing/test-engine.js';
