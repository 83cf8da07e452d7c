export type { CallActions, CallDefaults, CallStatus } from './bindings/call-store.js';
export type { Presence, PresenceActions, PresenceOptions } from './bindings/presence.js';
export type { StreamGroup, StreamItem } from './bindings/shown.js';
export { type StreamCall, useCall } from './vue/calls.js';
export { type Refs, useConnection, useStreamGroup, useStreamItem } from './vue/composables.js';
export { type PresenceGroup, usePresence } from './vue/presence.js';
