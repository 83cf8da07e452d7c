import { LIMITS, RivuletError } from '@rivulet/protocol';
import { decodeOrKeep } from '../request/request-target.js';
import { type Route, splitPath } from './route.js';

/** All routes that have their parameters at the same positions. */
interface Shape {
  /** One entry for each segment: whether it is a parameter. */
  readonly parameters: readonly boolean[];
  /** Routes of one path each, by the static segments of the path. The lists are never empty. */
  readonly ends: Map<string, RoutesOfPath>;
}

/** Routes by method. The route that was registered last serves, and the others stand by. The lists are never empty. */
type RoutesOfPath = Map<string, Route[]>;

export type RouteMatch =
  | { readonly kind: 'route'; readonly route: Route; readonly parameters: Readonly<Record<string, string>> }
  /** The path has routes, but none of this method. `methods` are the methods that it has. */
  | { readonly kind: 'wrong_method'; readonly methods: readonly string[] }
  | { readonly kind: 'none' };

/**
 * The live routes. At each segment, a static segment wins over a parameter. A second registration of the same method and path replaces the
 * first. When the newest is removed, the one before it serves again. This is the same as with functions, because replicas of a worker all
 * register the same routes.
 *
 * The table looks up a path once in each shape of its length. The number of shapes is bounded, so no set of routes makes requests
 * expensive. A tree that is searched both ways at each parameter would not have this bound.
 */
export class RouteTable {
  /** Shapes by their number of segments. A shape with an earlier static segment comes first. */
  readonly #shapes = new Map<number, Shape[]>();

  /**
   * Adds a route. Throws `trigger_registration_failed` when another route of the method differs only in the names of its parameters, or
   * when its length has too many shapes.
   */
  add(route: Route): void {
    const shape = this.#shapeOf(route) ?? this.#addShape(route);
    const key = keyOf(route);
    const routes: RoutesOfPath = shape.ends.get(key) ?? new Map();
    const others = routes.get(route.method) ?? [];
    const conflict = others.find((other) => namesOf(other) !== namesOf(route));
    if (conflict !== undefined) {
      throw new RivuletError(
        'trigger_registration_failed',
        `${route.method} ${route.path} and ${conflict.method} ${conflict.path} differ in the names of parameters only; give them the same names`,
      );
    }
    routes.set(route.method, [...others.filter((other) => other.binding.id !== route.binding.id), route]);
    shape.ends.set(key, routes);
  }

  /** Removes the route of this binding and no other. */
  remove(route: Route): void {
    const shape = this.#shapeOf(route);
    if (shape === undefined) return;
    const { method, binding, segments } = route;
    const key = keyOf(route);
    const routes = shape.ends.get(key);
    const left = (routes?.get(method) ?? []).filter((other) => other.binding !== binding);
    if (left.length > 0) routes?.set(method, left);
    else routes?.delete(method);
    if (routes?.size === 0) shape.ends.delete(key);
    if (shape.ends.size > 0) return;
    const others = (this.#shapes.get(segments.length) ?? []).filter((other) => other !== shape);
    if (others.length > 0) this.#shapes.set(segments.length, others);
    else this.#shapes.delete(segments.length);
  }

  /** Finds the route of a path as the client sent it. It decodes the segments one by one, so an encoded slash divides nothing. */
  match(method: string, path: string): RouteMatch {
    const sent = splitPath(path);
    const shapes = this.#shapes.get(sent.length);
    if (shapes === undefined) return { kind: 'none' };
    const texts = sent.map(decodeOrKeep);
    const parts = texts.map(partOf);
    let methods: Set<string> | undefined;
    for (const shape of shapes) {
      const routes = shape.ends.get(keyIn(shape, parts));
      if (routes === undefined || isParameterEmpty(shape, texts)) continue;
      const route = routes.get(method)?.at(-1);
      if (route !== undefined) return { kind: 'route', route, parameters: parametersOf(route, texts) };
      methods ??= new Set();
      for (const known of routes.keys()) methods.add(known);
    }
    return methods === undefined ? { kind: 'none' } : { kind: 'wrong_method', methods: [...methods].sort() };
  }

  #shapeOf({ segments }: Route): Shape | undefined {
    const isSame = ({ parameters }: Shape) => segments.every(({ kind }, at) => (kind === 'parameter') === parameters[at]);
    return this.#shapes.get(segments.length)?.find(isSame);
  }

  #addShape({ segments }: Route): Shape {
    const others = this.#shapes.get(segments.length) ?? [];
    if (others.length >= LIMITS.httpPathShapes) {
      throw new RivuletError(
        'trigger_registration_failed',
        `paths of ${segments.length} segments have their parameters at ${LIMITS.httpPathShapes} different sets of places already; use one of those`,
      );
    }
    const shape: Shape = { parameters: segments.map(({ kind }) => kind === 'parameter'), ends: new Map() };
    this.#shapes.set(segments.length, [...others, shape].sort(byStatics));
    return shape;
  }
}

/** Sorts the shape first that has a static segment where the other one has a parameter. */
function byStatics(left: Shape, right: Shape): number {
  const at = left.parameters.findIndex((isParameter, index) => isParameter !== right.parameters[index]);
  return at < 0 ? 0 : Number(left.parameters[at]) - Number(right.parameters[at]);
}

/** Returns the static segments as one text. It includes their lengths, because segments may have any character. */
function keyOf({ segments }: Route): string {
  return segments.map((segment) => (segment.kind === 'static' ? partOf(segment.text) : '')).join('');
}

function keyIn({ parameters }: Shape, parts: readonly string[]): string {
  let key = '';
  for (let at = 0; at < parts.length; at++) if (parameters[at] === false) key += parts[at];
  return key;
}

function partOf(text: string): string {
  return `${text.length}/${text}`;
}

function isParameterEmpty({ parameters }: Shape, texts: readonly string[]): boolean {
  return texts.some((text, at) => text === '' && parameters[at] === true);
}

function namesOf({ segments }: Route): string {
  return segments.map((segment) => (segment.kind === 'parameter' ? segment.name : '')).join('/');
}

function parametersOf({ segments }: Route, texts: readonly string[]): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  for (const [at, segment] of segments.entries()) if (segment.kind === 'parameter') parameters[segment.name] = texts[at] ?? '';
  return parameters;
}
