import { percentDecode } from '@rivulet/protocol';
/** The target of a request line, in its parts as sent. */
export interface RequestTarget {
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
}

/** Takes the origin form (`/a?b`) and, as RFC 9112 §3.2.2 asks, the absolute one (`http://host/a?b`). */
export function readRequestTarget(target: string): RequestTarget {
  const rest = target.startsWith('/') ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '');
  const question = rest.indexOf('?');
  if (question < 0) return { path: rest, query: '' };
  return { path: rest.slice(0, question), query: rest.slice(question + 1) };
}

/** Returns the path behind the prefix; `undefined`: the path is not below it. `/rtx` is not below `/rt`. */
export function belowPrefix(path: string, prefix: string): string | undefined {
  if (prefix === '') return path;
  if (!path.startsWith(prefix)) return undefined;
  const rest = path.slice(prefix.length);
  return rest === '' ? '/' : rest.startsWith('/') ? rest : undefined;
}

/** The text as it is when a percent sequence is malformed or not UTF-8. */
export function decodeOrKeep(text: string): string {
  return percentDecode(text) ?? text;
}

/** Parameters of a query, decoded as forms are (`+` is a space); the last value of a repeated one. */
export function queryParameters(query: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  if (query === '') return parameters;
  for (const [name, value] of new URLSearchParams(query)) parameters[name] = value;
  return parameters;
}
