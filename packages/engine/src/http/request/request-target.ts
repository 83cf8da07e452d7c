import { percentDecode } from '@rivulet/protocol';
/** The parts of a request target, as the client sent them. */
export interface RequestTarget {
  readonly path: string;
  /** Query without the question mark. */
  readonly query: string;
}

/** Reads a target in origin form (`/a?b`) or, as RFC 9112 §3.2.2 demands, in absolute form (`http://host/a?b`). */
export function readRequestTarget(target: string): RequestTarget {
  const rest = target.startsWith('/') ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '');
  const question = rest.indexOf('?');
  if (question < 0) return { path: rest, query: '' };
  return { path: rest.slice(0, question), query: rest.slice(question + 1) };
}

/** Returns the path after the prefix. A path without the prefix stays as it is, for proxies that remove it and for direct clients. */
export function withoutPrefix(path: string, prefix: string | undefined): string {
  if (prefix === undefined || !path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  if (rest === '') return '/';
  return rest.startsWith('/') ? rest : path;
}

/** Decodes percent sequences. Returns the text unchanged when a sequence is malformed or not UTF-8. */
export function decodeOrKeep(text: string): string {
  return percentDecode(text) ?? text;
}

/** Returns the parameters of a query, decoded like a form: `+` is a space. The last value of a repeated parameter counts. */
export function queryParameters(query: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  if (query === '') return parameters;
  for (const [name, value] of new URLSearchParams(query)) parameters[name] = value;
  return parameters;
}
