import { type ErrorCode, isJsonObject, RivuletError } from '@rivulet/protocol';
import { z } from 'zod';
import { InputKeys, type KeyPolicy } from './input-keys.js';

/** The input and the result of a built-in function. The same schemas check the input and are published by introspection. */
export interface BuiltinSchemas {
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  /** Error code for an input of the wrong shape. @default 'deserialization_error' */
  readonly code?: ErrorCode;
  /** True: an input that is no object counts as an empty one. @default false */
  readonly takesAnything?: boolean;
}

/** Schema for the config of an engine's trigger type. */
export type ConfigSchema = z.ZodObject;

/** Returns the JSON Schema of the input that a schema takes. */
export function publishedSchema(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { io: 'input' });
}

/** Checks the input of one built-in function and publishes its schemas. */
export class BuiltinContract {
  readonly #schemas: BuiltinSchemas;
  readonly #keys: InputKeys | undefined;
  #published: { readonly request: unknown; readonly response: unknown } | undefined;

  constructor(schemas: BuiltinSchemas) {
    this.#schemas = schemas;
    this.#keys = InputKeys.of(schemas.input);
  }

  /** Throws for an input of the wrong shape or with a refused key. `null` counts as an empty object. */
  check(value: unknown, policy: KeyPolicy): void {
    const { input, code = 'deserialization_error', takesAnything = false } = this.#schemas;
    if (takesAnything && !isJsonObject(value)) return;
    const refusal = this.#keys?.refusal(value, policy);
    if (refusal !== undefined) throw new RivuletError('deserialization_error', refusal);
    const result = input.safeParse(value ?? {});
    if (!result.success) throw new RivuletError(code, issuesText(result.error));
  }

  /** JSON Schema of the input. */
  get requestSchema(): unknown {
    return this.#publish().request;
  }

  /** JSON Schema of the result. */
  get responseSchema(): unknown {
    return this.#publish().response;
  }

  #publish(): { readonly request: unknown; readonly response: unknown } {
    const { input, output } = this.#schemas;
    this.#published ??= { request: publishedSchema(input), response: publishedSchema(output) };
    return this.#published;
  }
}

/** Returns the first problem with its place. */
function issuesText(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'the input has the wrong shape';
  if (issue.path.length === 0) return issue.code === 'invalid_type' ? 'the input must be an object' : issue.message;
  // The result looks like "writes[1]: ops[0]: by must be …".
  const parts: string[] = [];
  for (const part of issue.path) {
    if (typeof part === 'number') parts[parts.length - 1] = `${parts.at(-1)}[${part}]`;
    else parts.push(String(part));
  }
  const inList = typeof issue.path.at(-1) === 'number';
  return `${parts.join(': ')}${inList && issue.code !== 'custom' ? ':' : ''} ${issue.message}`;
}
