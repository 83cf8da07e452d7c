/** The exports that all runtimes have. */
export type { ConnectionState } from '@rivulet/client/connection';
export { isChannelRef } from './api/channel-ref.js';
export { EngineFunctions, EngineTriggers, SDK_VERSION } from './api/engine-names.js';
export {
  InvocationError,
  InvocationError as IIIInvocationError,
  type InvocationErrorInit,
  type InvocationErrorInit as IIIInvocationErrorInit,
  SDK_ERROR_CODES,
  type SdkErrorCode,
} from './api/errors.js';
export type { ApiResponse, HttpRequest, HttpRequest as ApiRequest, HttpResponse, InternalHttpRequest } from './api/http.js';
export { Logger } from './api/logger.js';
export type {
  BatchOptions,
  BatchResult,
  BatchWrite,
  ConditionalDeleteOptions,
  ConditionalWriteOptions,
  DeleteOptions,
  ListOptions,
  SendOptions,
  StreamConflict,
  VersionedItem,
  VersionedList,
  WriteOptions,
} from './api/stream-options.js';
export { TriggerAction, type TriggerActionType } from './api/trigger-action.js';
export type * from './api/types.js';
export { type States, state } from './state.js';
export { type GroupsPage, type ListAllOptions, type ListAllResult, type PageOptions, type Streams, stream } from './stream.js';
