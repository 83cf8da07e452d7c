export * from './close-codes.js';
export * from './decoded.js';
export * from './errors.js';
export * from './json-text.js';
export * from './limits.js';
export * from './position.js';
export * from './stream-messages.js';
export * from './worker-messages.js';
