export type { CallActions, CallDefaults, CallStatus } from './bindings/call-store.js';
export type { Presence, PresenceActions, PresenceOptions } from './bindings/presence.js';
export type { StreamGroup, StreamItem } from './bindings/shown.js';
export { functionCall, type StreamCall } from './svelte/calls.js';
export { connectionState, type Live, streamGroup, streamItem } from './svelte/live.js';
export { type PresenceGroup, presence } from './svelte/presence.js';
