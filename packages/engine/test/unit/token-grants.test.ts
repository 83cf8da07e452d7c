import { describe, expect, it } from 'vitest';
import type { JwtGrants } from '../../src/config/config.js';
import { GrantReader, type TokenGrants } from '../../src/core/jwt/token-grants.js';

/** Returns the grants of a token with this claim, or why it is refused. */
function claimed(claim: unknown, identity = 'ann'): TokenGrants | string {
  return new GrantReader('rivulet', undefined).read({ rivulet: claim }, identity);
}

function configured(grants: Partial<JwtGrants>, identity: string): TokenGrants | string {
  return new GrantReader('rivulet', { join: [], call: [], lease: [], ...grants }).read({ sub: identity }, identity);
}

function granted(grants: TokenGrants | string): TokenGrants {
  if (typeof grants === 'string') throw new Error(grants);
  return grants;
}

describe('grants of a claim', () => {
  it('name a group, every group of a stream, or one item', () => {
    const grants = granted(claimed({ join: ['chat/room-1', 'news/*', 'inbox/ann/latest', '*/public', 'deep/*/*'] }));
    const may = (stream: string, group: string, item?: string) => grants.mayJoin(stream, group, item);
    expect([may('chat', 'room-1'), may('chat', 'room-1', 'm1'), may('news', 'today'), may('any', 'public')]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([may('chat', 'room-2'), may('chat', 'room-10'), may('chat', ''), may('news', ''), may('new', 's/today')]).toEqual(
      Array(5).fill(false),
    );
    expect([
      may('inbox', 'ann', 'latest'),
      may('inbox', 'ann'),
      may('inbox', 'ann', 'other'),
      may('deep', 'x', 'y'),
      may('deep', 'x'),
    ]).toEqual([true, false, false, true, false]);
  });

  it('reach no name with a slash by *', () => {
    const grants = granted(claimed({ join: ['chat/*', '*/a', 'deep/x/*'] }));
    expect([grants.mayJoin('chat', 'a/b'), grants.mayJoin('x/y', 'a'), grants.mayJoin('deep', 'x', 'a/b')]).toEqual([false, false, false]);
    expect([grants.mayJoin('chat/a', 'b'), grants.mayJoin('chat', '*')]).toEqual([false, true]);
  });

  it('name functions by parts', () => {
    const grants = granted(claimed({ call: ['app::read', 'api::*', '*::ping'] }));
    expect(['app::read', 'api::x', 'web::ping'].map((id) => grants.mayCall(id))).toEqual([true, true, true]);
    expect(['app::write', 'api', 'api::', 'api::x::y', 'ping', 'a::b::ping', 'app::read::'].map((id) => grants.mayCall(id))).toEqual(
      Array(7).fill(false),
    );
    expect(granted(claimed({ call: ['*'] })).mayCall('app::read')).toBe(false);
  });

  it('of a lease allow the join too', () => {
    const grants = granted(claimed({ lease: ['presence/*'] }));
    expect([grants.mayLease('presence', 'room-1'), grants.mayJoin('presence', 'room-1'), grants.mayJoin('chat', 'room-1')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('are nothing when the claim is empty or absent', () => {
    for (const grants of [claimed({}), new GrantReader('rivulet', undefined).read({}, 'ann'), claimed({ admin: true, join: [] })]) {
      expect([granted(grants).mayJoin('a', 'b'), granted(grants).mayCall('a'), granted(grants).mayLease('a', 'b')]).toEqual([
        false,
        false,
        false,
      ]);
    }
  });

  it('refuse the token when the claim has another form', () => {
    const wrong = [
      null,
      true,
      'chat/*',
      [],
      { join: 'chat/*' },
      { join: null },
      { join: [5] },
      { join: ['chat'] },
      { join: ['chat/room-*'] },
      { join: ['chat/'] },
      { join: ['/room'] },
      { join: ['a/b/c/d'] },
      { join: ['*'] },
      { join: ['**/a'] },
      { lease: ['a/b/c'] },
      { call: ['app::'] },
      { call: ['app::re*'] },
      { join: ['a/'.concat('x'.repeat(1_024))] },
      { join: Array.from({ length: 257 }, () => 'a/b') },
    ];
    for (const claim of wrong) expect([claim, claimed(claim)]).toEqual([claim, 'grants_malformed']);
  });

  it('take placeholders of the issuer as they are', () => {
    const grants = granted(claimed({ join: ['inbox/{sub}'] }));
    expect([grants.mayJoin('inbox', 'ann'), grants.mayJoin('inbox', '{sub}')]).toEqual([false, true]);
  });

  it('win over those of the configuration', () => {
    const reader = new GrantReader('rivulet', { join: ['chat/*'], call: [], lease: [] });
    expect(granted(reader.read({ rivulet: {} }, 'ann')).mayJoin('chat', 'a')).toBe(false);
    expect(granted(reader.read({}, 'ann')).mayJoin('chat', 'a')).toBe(true);
    expect(granted(reader.read(JSON.parse('{"__proto__":{"rivulet":{}}}'), 'ann')).mayJoin('chat', 'a')).toBe(true);
  });
});

describe('S18 a subject in the grants of the configuration', () => {
  const TEMPLATES = { join: ['inbox/{sub}', 'users/user-{sub}', 'log/{sub}/*'], call: ['users::{sub}::read'], lease: ['presence/{sub}'] };

  it('is literal', () => {
    const grants = granted(configured(TEMPLATES, 'ann'));
    expect([grants.mayJoin('inbox', 'ann'), grants.mayJoin('users', 'user-ann'), grants.mayJoin('log', 'ann', 'x')]).toEqual([
      true,
      true,
      true,
    ]);
    expect([grants.mayJoin('inbox', 'bob'), grants.mayJoin('inbox', 'annx'), grants.mayJoin('users', 'ann')]).toEqual([
      false,
      false,
      false,
    ]);
    expect([grants.mayCall('users::ann::read'), grants.mayCall('users::bob::read'), grants.mayLease('presence', 'ann')]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('with *, / or a control character refuses the token', () => {
    for (const subject of ['*', 'a*', 'a/b', '/', '../x', 'a\u0000b', 'a\n', '\u0080']) {
      expect([subject, configured(TEMPLATES, subject)]).toEqual([subject, 'subject_not_substitutable']);
      expect(claimed({ lease: ['presence/*'] }, subject)).toBe('subject_not_substitutable');
    }
  });

  it('widens nothing, whatever it is', () => {
    const odd = ['{sub}', '$&', '$1', '%2f', '%2a', '::', 'a::b', ':', '.', '..', '\\', '[a-z]', '?', '#', ' ', 'ａ', '‮', '⁄', '∗', '％'];
    for (const subject of odd) {
      const grants = granted(configured(TEMPLATES, subject));
      expect([subject, grants.mayJoin('inbox', subject), grants.mayJoin('inbox', 'ann'), grants.mayJoin('log', 'ann', 'x')]).toEqual([
        subject,
        true,
        false,
        false,
      ]);
      expect([subject, grants.mayCall('users::ann::read'), grants.mayCall('users::a::b::read')]).toEqual([subject, false, false]);
    }
  });

  it('does not matter when no pattern has it', () => {
    expect(granted(configured({ join: ['chat/*'] }, 'spiffe://example.com/app')).mayJoin('chat', 'a')).toBe(true);
  });
});
