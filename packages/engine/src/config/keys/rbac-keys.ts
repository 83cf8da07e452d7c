import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import type { JwtConfig } from './jwt-keys.js';
import { type Fields, type Keys, key, optionalKey, specialKey } from './key.js';
import { auth, flag, ID_LENGTH, milliseconds, rulingFunctionId } from './value-schemas.js';

const TRIGGER_TYPES_BOUND = 'a list of at most 1000 names of trigger types, or no such key';
const triggerTypes = z
  .array(
    z
      .string({ error: TRIGGER_TYPES_BOUND })
      .refine((id) => id !== '' && Buffer.byteLength(id) <= LIMITS.registryIdBytes, { error: TRIGGER_TYPES_BOUND })
      .meta(ID_LENGTH),
    { error: TRIGGER_TYPES_BOUND },
  )
  .max(1_000, { error: TRIGGER_TYPES_BOUND })
  .optional()
  .describe(TRIGGER_TYPES_BOUND);

/** A list of unknown values, because an unknown key in a rule is always an error. `read-rbac.ts` checks each rule. */
export const rules = z.array(z.unknown(), { error: 'a list of rules' }).nullish().describe('a list of at most 1000 rules');

/** Keys of `rbac`, the rules of a `rivulet-worker-manager`: who may connect, and what its sessions may call and register. */
export const RBAC_KEYS = {
  authFunction: optionalKey(
    'auth_function_id',
    rulingFunctionId,
    'Function that decides about each connection ([its input and answers](streams.md#who-may-watch)). Without it everyone may connect and register',
  ),
  auth: specialKey('auth', auth, 'Checks of tokens, without a function or before it: `jwt` ([jwt.md](jwt.md))'),
  authTimeoutMs: key('auth_timeout_ms', milliseconds(10_000), 'Time for the auth function. After it, the upgrade gets 503'),
  authErrorFrame: key(
    'auth_error_frame',
    flag(false),
    'A refused upgrade completes, sends an `error` frame and closes, as in the original',
  ),
  exposeFunctions: specialKey('expose_functions', rules, 'Rules for calls. Guests may call a function that matches any rule'),
  onFunctionRegistration: optionalKey(
    'on_function_registration_function_id',
    rulingFunctionId,
    'Function that allows, changes or denies each registration of a function',
  ),
  onTriggerRegistration: optionalKey('on_trigger_registration_function_id', rulingFunctionId, 'The same for triggers'),
  onTriggerTypeRegistration: optionalKey('on_trigger_type_registration_function_id', rulingFunctionId, 'The same for trigger types'),
  hookTimeoutMs: key(
    'hook_timeout_ms',
    milliseconds(10_000),
    'Time for each of these three functions. After it, the registration is denied',
  ),
  allowedTriggerTypes: optionalKey(
    'allowed_trigger_types',
    triggerTypes,
    'Trigger types that guests may register or provide. `[]` means none. Without the key the auth function decides',
  ),
} as const satisfies Keys;

export interface RbacConfig extends Fields<typeof RBAC_KEYS> {
  /** `undefined`: the listener checks no tokens by itself. @default undefined */
  readonly jwt?: JwtConfig | undefined;
  /** A session may call a function that matches one of these rules. */
  readonly exposeFunctions: readonly ExposeRule[];
}

export type ExposeRule =
  /** `namespace` is the namespace of the function. Absent means `default`. */
  | { readonly kind: 'match'; readonly pattern: string; readonly namespace?: string }
  /** The metadata of a function must meet all conditions. */
  | { readonly kind: 'metadata'; readonly conditions: readonly MetadataCondition[] };

export type MetadataCondition =
  | { readonly key: string; readonly equals: unknown; readonly pattern?: undefined }
  | { readonly key: string; readonly pattern: string };
