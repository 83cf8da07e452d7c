import { RivuletError } from '@rivulet/protocol';
import { percentDecode } from './request-target.js';
import { type Route, splitPath } from './route.js';

interface Node {
  readonly statics: Map<string, Node>;
  parameter: Node | undefined;
  /** By method; of one method the last registered serves, the others stand by. Never empty lists. */
  readonly routes: Map<string, Route[]>;
}

export type RouteMatch =
  | { readonly kind: 'route'; readonly route: Route; readonly parameters: Readonly<Record<string, string>> }
  /** The path is known, the method isn't; `methods` are those that are. */
  | { readonly kind: 'wrong_method'; readonly methods: readonly string[] }
  | { readonly kind: 'none' };

/**
 * The routes that are live, as a tree of path segments. At each segment a static one wins over a parameter. Registering method and
 * path again replaces; when the newest goes, the one before it serves again, as with functions: replicas of a worker all register
 * the same routes.
 */
export class RouteTable {
  readonly #root: Node = createNode();

  /** Throws `trigger_registration_failed` when a route of the method differs in the names of its parameters only. */
  add(route: Route): void {
    let node = this.#root;
    for (const segment of route.segments) {
      if (segment.kind === 'parameter') node = node.parameter ??= createNode();
      else {
        const next = node.statics.get(segment.text) ?? createNode();
        node.statics.set(segment.text, next);
        node = next;
      }
    }
    const others = node.routes.get(route.method) ?? [];
    const conflict = others.find((other) => namesOf(other) !== namesOf(route));
    if (conflict !== undefined) {
      throw new RivuletError(
        'trigger_registration_failed',
        `${route.method} ${route.path} and ${conflict.method} ${conflict.path} differ in the names of parameters only; give them the same names`,
      );
    }
    node.routes.set(route.method, [...others.filter((other) => other.binding.id !== route.binding.id), route]);
  }

  /** Removes the route of this binding only. */
  remove({ segments, method, binding }: Route): void {
    const path: { readonly node: Node; readonly segment: Route['segments'][number] }[] = [];
    let node: Node | undefined = this.#root;
    for (const segment of segments) {
      path.push({ node, segment });
      node = segment.kind === 'parameter' ? node.parameter : node.statics.get(segment.text);
      if (node === undefined) return;
    }
    const left = (node.routes.get(method) ?? []).filter((other) => other.binding !== binding);
    if (left.length > 0) node.routes.set(method, left);
    else node.routes.delete(method);
    for (const step of path.reverse()) {
      if (!isEmpty(node)) return;
      if (step.segment.kind === 'parameter') step.node.parameter = undefined;
      else step.node.statics.delete(step.segment.text);
      node = step.node;
    }
  }

  /** `path` as sent: its segments are decoded one by one, so that an encoded slash divides nothing. */
  match(method: string, path: string): RouteMatch {
    const segments = splitPath(path).map(percentDecode);
    const methods = new Set<string>();
    for (const node of ends(this.#root, segments, 0)) {
      const route = node.routes.get(method)?.at(-1);
      if (route !== undefined) return { kind: 'route', route, parameters: parametersOf(route, segments) };
      for (const known of node.routes.keys()) methods.add(known);
    }
    return methods.size === 0 ? { kind: 'none' } : { kind: 'wrong_method', methods: [...methods].sort() };
  }
}

function createNode(): Node {
  return { statics: new Map(), parameter: undefined, routes: new Map() };
}

/** Nodes that the segments lead to, the more static first. */
function* ends(node: Node, segments: readonly string[], at: number): Iterable<Node> {
  const text = segments[at];
  if (text === undefined) {
    if (node.routes.size > 0) yield node;
    return;
  }
  const next = node.statics.get(text);
  if (next !== undefined) yield* ends(next, segments, at + 1);
  if (node.parameter !== undefined && text !== '') yield* ends(node.parameter, segments, at + 1);
}

function isEmpty({ statics, parameter, routes }: Node): boolean {
  return statics.size === 0 && parameter === undefined && routes.size === 0;
}

function namesOf({ segments }: Route): string {
  return segments.map((segment) => (segment.kind === 'parameter' ? segment.name : '')).join('/');
}

function parametersOf({ segments }: Route, texts: readonly string[]): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  for (const [at, segment] of segments.entries()) if (segment.kind === 'parameter') parameters[segment.name] = texts[at] ?? '';
  return parameters;
}
