/** Codes of the test kit, with their meaning and remedy. A test compares docs/testing.md with them. */
export const TEST_ENGINE_ERROR_CODES = {
  INVALID_ARGUMENTS: 'An option or a time is wrong. The message names it.',
  ENGINE_NOT_INSTALLED: 'The package of the engine is missing. Run `npm install --save-dev @rivulet/engine`.',
  CONFIG_INVALID: 'The configuration has an error. The message names its place.',
  NOT_SETTLED:
    '`settled()` gave up after 10 s, because work goes on. The message names the work. Call `advance` when a function waits for time.',
  STOPPED: 'The engine was stopped before this call.',
  ENGINE_FAILED: 'The engine could not start, or its thread has ended. The message has the cause.',
} as const;

export type TestEngineErrorCode = keyof typeof TEST_ENGINE_ERROR_CODES;

/** An error of the test kit. Its message says what to do. */
export class TestEngineError extends Error {
  readonly code: TestEngineErrorCode;

  constructor(code: TestEngineErrorCode, message: string) {
    super(message);
    this.name = 'TestEngineError';
    this.code = code;
  }
}
