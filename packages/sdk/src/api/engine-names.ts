/** The functions of the engine that workers use most. */
export const EngineFunctions = {
  LIST_FUNCTIONS: 'engine::functions::list',
  LIST_WORKERS: 'engine::workers::list',
  LIST_TRIGGERS: 'engine::triggers::list',
  LIST_TRIGGER_TYPES: 'engine::trigger-types::list',
  REGISTER_WORKER: 'engine::workers::register',
} as const;

export const EngineTriggers = { FUNCTIONS_AVAILABLE: 'engine::functions-available', LOG: 'log' } as const;

/**
 * The version that the SDK announces. It must be at least 0.13. From that version on, `engine::triggers::list` lists trigger types, and
 * bindings have a list of their own.
 */
export const SDK_VERSION = '0.22.1';
