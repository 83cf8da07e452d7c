/** Functions of the engine that a worker may want. */
export const EngineFunctions = {
  LIST_FUNCTIONS: 'engine::functions::list',
  LIST_WORKERS: 'engine::workers::list',
  LIST_TRIGGERS: 'engine::triggers::list',
  LIST_TRIGGER_TYPES: 'engine::trigger-types::list',
  REGISTER_WORKER: 'engine::workers::register',
} as const;

export const EngineTriggers = { FUNCTIONS_AVAILABLE: 'engine::functions-available', LOG: 'log' } as const;

/** What the SDK announces. At least 0.13, since which `engine::triggers::list` means trigger types and bindings have a list of their own. */
export const SDK_VERSION = '0.22.1';
