import { percentDecode } from '@rivulet/protocol';
import type { AdminRoute, RouteFound } from './admin-listener.js';

/** A route as docs/admin.md lists it. Parts of `path` in braces are names. */
export interface RouteRow extends AdminRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
}

interface CompiledRoute extends RouteRow {
  readonly parts: readonly string[];
}

/** Finds the route of a method and path. */
export class AdminRoutes {
  readonly #routes: readonly CompiledRoute[];

  constructor(rows: readonly RouteRow[]) {
    this.#routes = rows.map((row) => ({ ...row, parts: row.path.split('/') }));
  }

  readonly find = (method: string, path: string): RouteFound => {
    const parts = path.split('/', MOST_PARTS);
    const same = this.#routes.filter((route) => matches(route.parts, parts));
    const route = same.find((each) => each.method === method);
    const [first] = same;
    if (first === undefined) return { kind: 'unknown' };
    if (route === undefined) return { kind: 'wrong_method', need: first.need, allow: same.map((each) => each.method).join(', ') };
    const parameters = readParameters(route.parts, parts);
    return parameters === undefined ? { kind: 'unknown' } : { kind: 'route', route, parameters };
  };
}

/** Parts of a path that are compared. The longest route has fewer. */
const MOST_PARTS = 16;

function matches(wanted: readonly string[], given: readonly string[]): boolean {
  return wanted.length === given.length && wanted.every((part, index) => isName(part) || part === given[index]);
}

/** Returns the named parts, or `undefined` if one of them is empty or malformed. */
function readParameters(wanted: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    if (!isName(part)) continue;
    const value = percentDecode(given[index] ?? '');
    if (value === undefined || value === '') return undefined;
    parameters[part.slice(1, -1)] = value;
  }
  return parameters;
}

function isName(part: string): boolean {
  return part.startsWith('{');
}
