import { init as init_0_2_1 } from 'iii-sdk-0.2.1';
import { init as init_0_3_0 } from 'iii-sdk-0.3.0';
import { registerWorker as registerWorker_0_9_0, TriggerAction as TriggerAction_0_9_0 } from 'iii-sdk-0.9.0';
import { registerWorker as registerWorker_0_11_2, TriggerAction as TriggerAction_0_11_2 } from 'iii-sdk-0.11.2';
import { registerWorker as registerWorker_0_11_6, TriggerAction as TriggerAction_0_11_6 } from 'iii-sdk-0.11.6';
import { registerWorker as registerWorker_0_22_1, TriggerAction as TriggerAction_0_22_1 } from 'iii-sdk-0.22.1';
import { createStream as createStream_0_22_1 } from 'iii-sdk-0.22.1/helpers';
import { onTestFinished } from 'vitest';

export const SDK_VERSIONS = ['0.2.1', '0.3.0', '0.9.0', '0.11.2', '0.11.6', '0.22.1'] as const;
export type SdkVersion = (typeof SDK_VERSIONS)[number];

type Handler = (data: unknown, metadata?: unknown) => Promise<unknown>;

interface Registered {
  unregister(): void;
}

interface TriggerInput {
  readonly type: string;
  readonly function_id: string;
  readonly config: unknown;
  /** Metadata of the trigger. SDK versions below 0.9 do not send it. */
  readonly metadata?: Record<string, unknown>;
}

/** One binding of a custom trigger type, as its provider receives it. */
export interface ProvidedTrigger {
  readonly id: string;
  readonly function_id: string;
  readonly config: unknown;
}

interface Provider {
  registerTrigger(trigger: ProvidedTrigger): Promise<void>;
  unregisterTrigger(trigger: ProvidedTrigger): Promise<void>;
}

/** A backend that a worker passes to `createStream`. The results are untyped, because tests return wrong ones too. */
export interface StreamBackend {
  readonly get: (input: ItemInput) => Promise<unknown>;
  readonly set: (input: ItemInput & { readonly data: unknown }) => Promise<unknown>;
  readonly delete: (input: ItemInput) => Promise<unknown>;
  readonly list: (input: GroupInput) => Promise<unknown>;
  readonly listGroups: (input: { readonly stream_name: string }) => Promise<unknown>;
}

export interface GroupInput {
  readonly stream_name: string;
  readonly group_id: string;
}

export interface ItemInput extends GroupInput {
  readonly item_id: string;
}

type Callback = (functions: readonly object[]) => void;

/** Introspection methods of the SDK. Each version has some of them, except the latest, which has none. */
export interface Helpers {
  readonly listFunctions?: () => Promise<readonly object[]>;
  readonly listTriggers?: () => Promise<readonly object[]>;
  readonly listTriggerTypes?: () => Promise<readonly object[]>;
  /** Calls `callback` when the list of functions changes. Returns a function that ends the subscription. */
  readonly onFunctionsAvailable?: (callback: Callback) => () => void;
}

/** A worker on any version of the official SDK. It offers what all versions have in common, under the same names. */
export interface OfficialWorker {
  readonly version: SdkVersion;
  readonly helpers: Helpers;
  registerFunction(id: string, handler: Handler): Registered;
  registerTrigger(trigger: TriggerInput): Registered;
  registerTriggerType(id: string, provider: Provider): void;
  createStream(name: string, backend: StreamBackend): void;
  /** Calls a function. Rejects with the error of that SDK version. Only 0.22.1 sends the metadata. */
  call(id: string, payload: unknown, metadata?: unknown): Promise<unknown>;
  callVoid(id: string, payload: unknown): void;
  /** Resolves when the engine has handled every frame sent so far. The engine handles the frames of one connection in order. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

type Facade = Omit<OfficialWorker, 'version' | 'settled'>;

interface Options {
  readonly workerName: string;
  readonly enableMetricsReporting: boolean;
  readonly otel: { readonly enabled: boolean };
}

type OldSdk = ReturnType<typeof init_0_2_1> | ReturnType<typeof init_0_3_0>;
type NewSdk =
  | ReturnType<typeof registerWorker_0_9_0>
  | ReturnType<typeof registerWorker_0_11_2>
  | ReturnType<typeof registerWorker_0_11_6>
  | ReturnType<typeof registerWorker_0_22_1>;

type VoidAction = ReturnType<typeof TriggerAction_0_9_0.Void>;

/** Wraps versions 0.2 and 0.3, which call functions by `trigger(id, data)` and `triggerVoid(id, data)`. */
function oldFacade(sdk: OldSdk): Facade {
  return {
    registerFunction: (id, handler) => sdk.registerFunction({ id }, handler),
    ...shared(sdk),
    call: (id, payload) => sdk.trigger<unknown, unknown>(id, payload),
    callVoid: (id, payload) => sdk.triggerVoid(id, payload),
  };
}

/** Wraps versions since 0.9, which call functions by `trigger({ function_id, payload, action })`. */
function newFacade(sdk: NewSdk, action: VoidAction, registerFunction: Facade['registerFunction']): Facade {
  return {
    registerFunction,
    ...shared(sdk),
    call: (id, payload, metadata) =>
      sdk.trigger<unknown, unknown>({ function_id: id, payload, ...(metadata === undefined ? {} : { metadata }) }),
    callVoid: (id, payload) => void sdk.trigger<unknown, unknown>({ function_id: id, payload, action }),
  };
}

function shared(sdk: OldSdk | NewSdk): Pick<Facade, 'helpers' | 'registerTrigger' | 'registerTriggerType' | 'createStream' | 'close'> {
  return {
    helpers: helpersOf(sdk),
    registerTrigger: (trigger) => sdk.registerTrigger(trigger),
    registerTriggerType: (id, provider) => void sdk.registerTriggerType({ id, description: id }, provider),
    createStream: (name, backend) => {
      if ('createStream' in sdk) sdk.createStream(name, backend as never);
      else createStream_0_22_1(sdk, name, backend as never);
    },
    close: () => sdk.shutdown(),
  };
}

function helpersOf(sdk: OldSdk | NewSdk): Helpers {
  return {
    ...('listFunctions' in sdk && { listFunctions: () => sdk.listFunctions() }),
    ...('listTriggers' in sdk && { listTriggers: () => sdk.listTriggers() }),
    ...('listTriggerTypes' in sdk && { listTriggerTypes: () => sdk.listTriggerTypes() }),
    ...('onFunctionsAvailable' in sdk && { onFunctionsAvailable: (callback: Callback) => sdk.onFunctionsAvailable(callback) }),
  };
}

const OPEN: Readonly<Record<SdkVersion, (url: string, options: Options) => Facade>> = {
  '0.2.1': (url, options) => oldFacade(init_0_2_1(url, options)),
  '0.3.0': (url, options) => oldFacade(init_0_3_0(url, options)),
  '0.9.0': (url, options) => {
    const sdk = registerWorker_0_9_0(url, options);
    return newFacade(sdk, TriggerAction_0_9_0.Void(), (id, handler) => sdk.registerFunction({ id }, handler));
  },
  '0.11.2': (url, options) => {
    const sdk = registerWorker_0_11_2(url, options);
    return newFacade(sdk, TriggerAction_0_11_2.Void(), (id, handler) => sdk.registerFunction(id, handler));
  },
  '0.11.6': (url, options) => {
    const sdk = registerWorker_0_11_6(url, options);
    return newFacade(sdk, TriggerAction_0_11_6.Void(), (id, handler) => sdk.registerFunction(id, handler));
  },
  '0.22.1': (url, options) => {
    const sdk = registerWorker_0_22_1(url, options);
    return newFacade(sdk, TriggerAction_0_22_1.Void(), (id, handler) => sdk.registerFunction(id, handler));
  },
};

/**
 * Connects a worker on an official SDK. Resolves when the engine has registered it. The worker shuts down when the test ends. Telemetry is
 * off. `probe` names a function that this worker may call.
 */
export async function connectOfficial(
  version: SdkVersion,
  url: string,
  workerName = `official-${version}`,
  probe = 'engine::health::check',
): Promise<OfficialWorker> {
  process.env.OTEL_ENABLED = 'false';
  const facade = OPEN[version](url, {
    workerName,
    enableMetricsReporting: false,
    otel: { enabled: false },
  });
  const settled = async () => void (await facade.call(probe, {}));
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= facade.close());
  onTestFinished(close);
  // The first call may wait in the queue of the SDK, which is sent before the announcement. The second call follows both.
  await settled();
  await settled();
  return { ...facade, version, settled, close };
}
