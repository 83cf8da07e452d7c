import { field, LIMITS, RivuletError, utf8Length } from '@rivulet/protocol';
import type { TriggerBinding } from '../../core/fabric/fabric.js';
import { decodeOrKeep } from '../request/request-target.js';

const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);

export type RouteSegment = { readonly kind: 'static'; readonly text: string } | { readonly kind: 'parameter'; readonly name: string };

/** An `http` trigger that is ready to serve. */
export interface Route {
  readonly binding: TriggerBinding;
  /** Path as the configuration of the trigger has it. */
  readonly path: string;
  readonly method: string;
  readonly segments: readonly RouteSegment[];
  readonly condition: string | undefined;
  readonly middleware: readonly string[];
  /** The members of the request object that are the same for every request, as JSON without the braces. */
  readonly fixedJson: string;
}

/** Reads the configuration of a binding (spec HT §4.2). Throws `trigger_registration_failed`. */
export function readRoute(binding: TriggerBinding): Route {
  const path = readPath(field(binding.config, 'api_path'));
  const method = readMethod(field(binding.config, 'http_method'));
  const trigger = { type: 'http', path, method };
  return {
    binding,
    path,
    method,
    segments: readSegments(path),
    condition: readFunction(binding, 'condition_function_id'),
    middleware: readFunctions(binding, 'middleware_function_ids'),
    fixedJson: `"path":${JSON.stringify(path)},"method":"${method}","trigger":${JSON.stringify(trigger)}`,
  };
}

/** Returns the segments of a path. A leading slash is optional, and a trailing slash makes an empty segment. */
export function splitPath(path: string): string[] {
  return (path.startsWith('/') ? path.slice(1) : path).split('/');
}

function readPath(value: unknown): string {
  if (typeof value !== 'string') throw refused('api_path is required, as a string such as /orders/:id');
  if (utf8Length(value) > LIMITS.httpPathBytes) throw refused(`api_path is longer than ${LIMITS.httpPathBytes} bytes`);
  return value;
}

function readMethod(value: unknown): string {
  if (value === undefined || value === null) return 'GET';
  const method = typeof value === 'string' ? value.toUpperCase() : '';
  if (!METHODS.has(method)) throw refused(`http_method must be one of ${[...METHODS].join(', ')}`);
  return method;
}

function readSegments(path: string): RouteSegment[] {
  const texts = splitPath(path);
  if (texts.length > LIMITS.httpPathSegments) throw refused(`${LIMITS.httpPathSegments} segments are the most that api_path may have`);
  const segments = texts.map((text): RouteSegment => {
    if (!text.startsWith(':')) return { kind: 'static', text: decodeOrKeep(text) };
    if (text === ':') throw refused(`a parameter of ${path} has no name`);
    return { kind: 'parameter', name: text.slice(1) };
  });
  const names = segments.flatMap((segment) => (segment.kind === 'parameter' ? [segment.name] : []));
  if (new Set(names).size < names.length) throw refused(`${path} has two parameters of the same name`);
  return segments;
}

function readFunction(binding: TriggerBinding, key: string): string | undefined {
  const value = field(binding.config, key) ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw refused(`${key} must be a function id`);
  return value === '' ? undefined : value;
}

function readFunctions(binding: TriggerBinding, key: string): string[] {
  const value = field(binding.config, key) ?? [];
  if (!Array.isArray(value) || value.length > 100 || !value.every((id) => typeof id === 'string'))
    throw refused(`${key} must be a list of at most 100 function ids`);
  return value as string[];
}

function refused(message: string): RivuletError {
  return new RivuletError('trigger_registration_failed', message);
}
