'use client';

export type { CallActions, CallDefaults, CallStatus } from './bindings/call-store.js';
export type { Presence, PresenceActions, PresenceOptions } from './bindings/presence.js';
export type { StreamGroup, StreamItem } from './bindings/shown.js';
export { type StreamCall, useCall } from './react/call-hook.js';
export { useConnection } from './react/connection-hook.js';
export { createHooks, type Hooks } from './react/create-hooks.js';
export { type PresenceGroup, usePresence } from './react/presence-hook.js';
export { StreamProvider, useStreamClient } from './react/stream-provider.js';
export {
  type KnownStreamGroup,
  type KnownStreamItem,
  useStreamGroup,
  useStreamItem,
  useSuspenseStreamGroup,
  useSuspenseStreamItem,
} from './react/view-hooks.js';
