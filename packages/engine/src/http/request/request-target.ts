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

/** Returns the path behind the prefix. Other paths stay as they are, for a proxy that removes the prefix and for clients without one. */
export function withoutPrefix(path: string, prefix: string | undefined): string {
  if (prefix === undefined || !path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  if (rest === '') return '/';
  return rest.startsWith('/') ? rest : path;
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
