import { describe, expect, it } from 'vitest';
import { readTarget } from '../../src/stream/session/upgrade-target.js';
import { decodeQuery } from '../../src/transport/upgrade/upgrade-input.js';

const join = (stream: string, group: string, item?: string) => ({ kind: 'join', stream, group, item, positions: false, since: undefined });
const unknown = { kind: 'unknown' };
const invalid = { kind: 'invalid' };

describe('the path of an upgrade', () => {
  it.each([
    ['', { kind: 'open' }],
    ['/', { kind: 'open' }],
    ['/stream/chat/room', join('chat', 'room')],
    ['/stream/chat/room/', join('chat', 'room')],
    ['/stream/chat/room/item', join('chat', 'room', 'item')],
    ['/stream/chat/room/item/', join('chat', 'room', 'item')],
    ['/stream/r%C3%A4um/a%2Fb/%25', join('räum', 'a/b', '%')],
    ['/stream/a+b/c%2Bd', join('a+b', 'c+d')],
    ['/stream/%2E%2E/..', join('..', '..')],
    ['/stream/__proto__/constructor', join('__proto__', 'constructor')],
    ['/stream/a:b/*', join('a:b', '*')],
    [`/stream/${'x'.repeat(256)}/${'%C3%A9'.repeat(128)}`, join('x'.repeat(256), 'é'.repeat(128))],
  ])('ST-8 %s is understood', (path, target) => {
    expect(readTarget(path)).toEqual(target);
  });

  it.each([
    ['', { positions: false, since: undefined }],
    ['positions=1', { positions: true, since: undefined }],
    ['positions=0', { positions: false, since: undefined }],
    ['since=e%3A7', { positions: true, since: { epoch: 'e', offset: 7 } }],
    ['token=t&since=e:7&positions=1', { positions: true, since: { epoch: 'e', offset: 7 } }],
    ['since=', { positions: true, since: 'malformed' }],
  ])('RV-4 with the query "%s" it says where the client stands', (query, said) => {
    expect(readTarget('/stream/chat/room', query)).toEqual({ ...join('chat', 'room'), ...said });
  });

  it.each([
    '/stream',
    '/stream/',
    '/stream/chat',
    '/stream/chat/',
    '/streams/a/b',
    '/Stream/a/b',
    '//',
    '/other',
    'stream/a/b',
    '*',
    '/stream//room',
    '/stream/chat//item',
    '/stream/chat/room//',
    '/stream/a/b/c/d',
    '/stream/a/b/c//',
    'http://x/stream/a/b',
  ])('ST-8 %s is no path of ours', (path) => {
    expect(readTarget(path)).toEqual(unknown);
  });

  it.each([
    '/stream/%ZZ/x',
    '/stream/rivulet::calls/x',
    '/stream/a/%',
    '/stream/a/%E',
    '/stream/%C0%80/x',
    '/stream/%ED%A0%80/x',
    '/stream/%FF/x',
    '/stream/a/b/%',
    '/stream/a%00/x',
    '/stream/a/x%0A',
    '/stream/a/b/%1f',
    `/stream/${'x'.repeat(257)}/y`,
    `/stream/a/${'%C3%A9'.repeat(129)}`,
  ])('%s names something that can not be', (path) => {
    expect(readTarget(path)).toEqual(invalid);
  });
});

describe('the query of an upgrade', () => {
  it('ST-10 collects repeated keys in order; a key without = has an empty value; empty keys are skipped', () => {
    expect({ ...decodeQuery('token=abc&tag=a&tag=b&flag&=x&&tag=&a=b=c') }).toEqual({
      token: ['abc'],
      tag: ['a', 'b', ''],
      flag: [''],
      a: ['b=c'],
    });
    expect(Object.keys(decodeQuery(''))).toEqual([]);
  });

  it('decodes percent sequences, keeps what is none, and a plus stays a plus', () => {
    expect({ ...decodeQuery('t%C3%B6ken=a%20b%3D&plus=a+b&bad=%ZZ&%E=1&%3D=2') }).toEqual({
      töken: ['a b='],
      plus: ['a+b'],
      bad: ['%ZZ'],
      '%E': ['1'],
      '=': ['2'],
    });
  });

  it('takes prototype names as plain keys', () => {
    const parameters = decodeQuery('__proto__=1&constructor=2&toString=3&__proto__=4');
    expect(Object.entries(parameters)).toEqual([
      ['__proto__', ['1', '4']],
      ['constructor', ['2']],
      ['toString', ['3']],
    ]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
