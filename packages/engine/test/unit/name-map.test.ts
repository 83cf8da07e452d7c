import { expect, it } from 'vitest';
import { NameMap } from '../../src/core/workers/access/name-map.js';

it('a map without names is the identity, as for a trusted session', () => {
  const names = new NameMap();
  const binding = { id: 't', type: 'stream', functionId: 'app::f', config: { stream_name: 's' } };
  expect(names.binding(binding)).toEqual(binding);
  expect(names.given('function', 'app::f')).toBe('app::f');
  expect([names.registered('function', 'app::f'), names.forget('trigger', 't')]).toEqual([undefined, undefined]);
});

it('a session sees its own trigger under its own names, and of the triggers of others only the type that it provides', () => {
  const names = new NameMap();
  names.add('function', 'f', 'u::ann::f');
  names.add('trigger', 't', 'u::ann::t');
  names.add('trigger type', 'clock', 'u::ann::clock');
  expect(names.binding({ id: 'u::ann::t', type: 'stream', functionId: 'u::ann::f' })).toEqual({ id: 't', type: 'stream', functionId: 'f' });
  const foreign = { id: 'other', type: 'u::ann::clock', functionId: 'u::ann::f' };
  expect(names.binding(foreign)).toEqual({ ...foreign, type: 'clock' });
});

it('kinds of names are kept apart', () => {
  const names = new NameMap();
  names.add('function', 'x', 'registered');
  expect(names.given('trigger', 'registered')).toBe('registered');
  expect(names.registered('trigger', 'x')).toBeUndefined();
});

it('a name that is given again names the new id, and an id that another name took over is not forgotten with the old name', () => {
  const names = new NameMap();
  names.add('function', 'f', 'one');
  names.add('function', 'f', 'two');
  expect([names.registered('function', 'f'), names.given('function', 'one'), names.given('function', 'two')]).toEqual(['two', 'one', 'f']);
  names.add('function', 'g', 'two');
  expect(names.forget('function', 'f')).toBeUndefined();
  expect([names.given('function', 'two'), names.forget('function', 'g')]).toEqual(['g', 'two']);
});
