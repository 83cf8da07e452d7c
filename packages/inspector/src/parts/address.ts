import { percentDecode, percentEncode } from '@rivulet/protocol';

/*
 * The address of a view stands in the fragment: `#/streams/chat/room-1?search=ann`. Fragments never reach a server, so names in them stay
 * out of access logs, and the engine serves one document for all views.
 */

/** Parts of the path, decoded, and parameters. The first part names the page. */
export interface Route {
  readonly parts: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/** Returns the route of a fragment. A malformed part stays as it is. */
export function readRoute(fragment: string): Route {
  const [path = '', query = ''] = fragment.replace(/^#?\/?/, '').split('?', 2);
  const parts = path === '' ? [] : path.split('/').map((part) => percentDecode(part) ?? part);
  return { parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Returns the link to a view. Parameters that are empty or `undefined` are left out. */
export function linkTo(parts: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name}=${percentEncode(value)}`],
  );
  return `#/${parts.map(percentEncode).join('/')}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`;
}
