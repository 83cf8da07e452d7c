import { createHash } from 'node:crypto';
import type { RedisScript } from './connection/server-connection.js';

/** More than the clocks of two engines are ever apart: beyond it one has jumped. */
const CLOCKS_APART_MS = 10_000;

/**
 * What every script of a group begins with. The epoch belongs to one run of the server: another one may have lost something, so that nothing
 * is read or written before somebody has decided whether the history goes on (`fence`). KEYS[1] is the partition, KEYS[2] the head.
 */
const OPENING = `
local at = 0
local function arg()
  at = at + 1
  return ARGV[at]
end
local function digits(number)
  return string.format('%.0f', number)
end
local run, fresh, now = arg(), arg(), tonumber(arg())
local epoch, known = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'run'))
if not epoch then
  epoch = fresh
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run, 'offset', '0', 'stamp', '0')
elseif known ~= run then
  return {'fence'}
end
local head = redis.call('HMGET', KEYS[2], 'offset', 'stamp', 'floor')
local unwritten = not head[1]
local shown = 0
if unwritten then
  head = redis.call('HMGET', KEYS[1], 'offset', 'stamp', 'offset')
  shown = tonumber(redis.call('HGET', KEYS[1], 'shown') or '0')
end
-- Of a group without history the stamp of a moment ago is told, by whichever clock: the first change must come after it.
local function tell()
  if not unwritten then return head[2] end
  if now - 1 > shown or shown - now > ${CLOCKS_APART_MS} then redis.pcall('HSET', KEYS[1], 'shown', digits(now - 1)) end
  return digits(now - 1)
end
`;

/**
 * One step of a group: looks at what was expected, does all changes, publishes them. Values are never looked into. Answers \`again\` when
 * something is not as expected, and the text that was published. KEYS[16] is never there.
 */
export const WRITE = script(
  'write',
  `${OPENING}
local values, metas, created, changed, tombstones = KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local buried, deadlines, holders, log, groups = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local streams, due, fading, once = KEYS[13], KEYS[14], KEYS[15], KEYS[17]
local steady = tonumber(arg())
local node, name, stream, group, held, channel, clustered = arg(), arg(), arg(), arg(), arg(), arg(), arg() == '1'
local followed = {arg(), arg()}
local most, largest, linger = arg(), arg(), arg()
local expectedEpoch, expectedOffset = arg(), arg()
local offset, stamp = tonumber(head[1]), tonumber(head[2])
if shown > stamp and shown - now <= ${CLOCKS_APART_MS} then stamp = shown end
if expectedEpoch ~= '' and expectedEpoch ~= epoch then return {'again'} end
if expectedOffset ~= '' and tonumber(expectedOffset) ~= offset then return {'again'} end
for _ = 1, tonumber(arg()) do
  local item, expected = arg(), arg()
  local meta = redis.call('HGET', metas, item)
  if (meta and string.match(meta, '^%d+ (%d+)') or '0') ~= expected then return {'again'} end
end
local answer, keep = arg(), arg()
if once then
  local used = redis.call('GET', once)
  if used and tonumber(string.match(used, '^%d+')) > steady then return {'again'} end
end

local from, had = offset, redis.call('HLEN', values)
local timed, holds = redis.call('EXISTS', deadlines) == 1, redis.call('EXISTS', holders) == 1
local count = tonumber(arg())
local touched = count == 0
local records, last = {}, {}

local function release(item)
  if timed and redis.call('ZREM', deadlines, item) == 1 then touched = true end
  if holds then
    local holder = redis.call('HGET', holders, item)
    if holder then
      redis.call('HDEL', holders, item)
      redis.call('ZREM', held .. holder, name .. '\\n' .. item)
    end
  end
end

local function expire(item, expiry, time)
  if expiry == 'stay' then
    release(item)
  elseif expiry == 'ttl' then
    release(item)
    redis.call('ZADD', deadlines, time, item)
    timed, touched = true, true
  elseif expiry == 'held' then
    release(item)
    redis.call('HSET', holders, item, node)
    redis.call('ZADD', held .. node, time, name .. '\\n' .. item)
    holds = true
  end
end

for r = 1, count do
  local kind, item, data, extra, id, expiry, time, batch = arg(), arg(), arg(), arg(), arg(), arg(), arg(), arg()
  local old, born, oldId
  local effect = 'none'
  if kind == 'event' then
    effect = 'event'
  elseif kind == 'external' then
    effect, extra = extra, ''
  else
    local meta = redis.call('HGET', metas, item)
    if meta then
      born, oldId = string.match(meta, '^(%d+) %d+ (.*)$')
      old = redis.call('HGET', values, item)
    end
    if extra ~= '' then
      local holder = holds and redis.call('HGET', holders, item)
      if holder and (extra == 'anywhere' or holder ~= node) then kind = 'nothing' end
      extra = ''
    end
    if kind == 'set' then
      effect = old and 'update' or 'create'
    elseif old and kind == 'delete' then
      effect = 'delete'
    elseif old and kind == 'due' then
      local time = redis.call('ZSCORE', deadlines, item)
      if time and tonumber(time) <= steady then effect = 'delete' end
    elseif old and kind == 'touch' then
      expire(item, expiry, time)
    end
  end
  if effect ~= 'none' then
    offset = offset + 1
    stamp = math.max(now, stamp + 1)
    last[batch] = offset
  end
  if kind == 'set' then
    if not born then
      born = digits(offset)
      redis.call('ZADD', created, born, item)
      if redis.call('HDEL', tombstones, item) == 1 then redis.call('ZREM', buried, item) end
    end
    redis.call('HSET', values, item, data)
    redis.call('HSET', metas, item, born .. ' ' .. digits(offset) .. ' ' .. id)
    redis.call('ZADD', changed, offset, item)
    expire(item, expiry, time)
  elseif (kind == 'delete' or kind == 'due') and effect == 'delete' then
    data = old
    redis.call('HDEL', values, item)
    redis.call('HDEL', metas, item)
    redis.call('ZREM', created, item)
    redis.call('ZADD', changed, offset, item)
    redis.call('HSET', tombstones, item, born .. ' ' .. digits(offset) .. ' ' .. digits(stamp) .. ' ' .. oldId)
    redis.call('ZADD', buried, stamp, item)
    redis.call('ZADD', fading, 'NX', stamp, name)
    release(item)
  end
  records[r] = {effect, digits(offset), born or '0', digits(stamp), batch, item, data, old, extra, kind == 'event' and id == 'group'}
end

local lines, texts = {}, {}
for r = 1, count do
  local record = records[r]
  local item, data, old, extra = record[6], record[7], record[8], record[9]
  local through = record[5] ~= '' and last[record[5]] or 0
  lines[r] = record[1] .. ' ' .. record[2] .. ' ' .. record[3] .. ' ' .. record[4] .. ' ' .. digits(through) .. ' ' ..
    (record[10] and '-1' or #item) .. ' ' .. #data .. ' ' .. (old and #old or '-1') .. ' ' .. #extra
  texts[r] = (record[10] and '' or item) .. data .. (old or '') .. extra
end
local text = node .. ' ' .. epoch .. ' ' .. digits(from) .. ' ' .. digits(offset) .. ' ' .. count .. '\\n' ..
  table.concat(lines, '\\n') .. '\\n' .. table.concat(texts)

if offset > from then
  redis.call('HSET', KEYS[2], 'offset', digits(offset), 'stamp', digits(stamp))
  if unwritten then
    redis.call('HSET', KEYS[2], 'floor', digits(from))
    redis.call('ZADD', fading, 'NX', stamp, name)
  end
  local has = redis.call('HLEN', values)
  if had == 0 and has > 0 then
    redis.call('SADD', groups, group)
    redis.call('SADD', streams, stream)
  elseif had > 0 and has == 0 then
    redis.call('SREM', groups, group)
    if redis.call('SCARD', groups) == 0 then redis.call('SREM', streams, stream) end
  end
  if #text <= tonumber(largest) then
    redis.call('RPUSH', log, text)
    redis.call('LTRIM', log, -tonumber(most), -1)
    redis.call('PEXPIRE', log, linger)
  else
    redis.call('DEL', log)
  end
  redis.call(clustered and 'SPUBLISH' or 'PUBLISH', channel, text)
  for index = 1, clustered and #followed or 0 do
    if redis.call('PUBSUB', 'SHARDNUMSUB', followed[index])[2] > 0 then redis.call('SPUBLISH', followed[index], name .. '\\n' .. text) end
  end
end
if touched then
  local first = redis.call('ZRANGE', deadlines, 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', due, first[2], name) else redis.call('ZREM', due, name) end
end
if once and answer ~= '' then redis.call('SET', once, answer, 'PX', keep) end
return {'done', text}
`,
);

/**
 * Items, where the group stands, and what a key stands for. KEYS[5], if there, is that key. The arguments before the items: how many of them must be
 * read, after how many bytes no other one is, and after how many none is. Those that are not read are missing at the end.
 */
export const READ = script(
  'read',
  `${OPENING}
local used = KEYS[5] and redis.call('GET', KEYS[5]) or false
local reply = {'done', epoch, head[1], tell(), head[3], unwritten and '1' or '0', used}
local least, most, mostOfAll = tonumber(arg()), tonumber(arg()), tonumber(arg())
local first, bytes = at + 1, 0
for index = first, #ARGV do
  if bytes > (index - first < least and mostOfAll or most) then break end
  local value = redis.call('HGET', KEYS[3], ARGV[index])
  reply[#reply + 1] = value
  reply[#reply + 1] = redis.call('HGET', KEYS[4], ARGV[index])
  if value then bytes = bytes + #value end
end
return reply
`,
);

/**
 * What stands in an index after an offset, in its order, at most so many and about so many bytes; of what is gone the tombstone in the place of
 * the value. KEYS[5]: items by creation, or by change.
 */
export const PAGE = script(
  'page',
  `${OPENING}
local after, most, bytes = arg(), tonumber(arg()), tonumber(arg())
local reply = {'done', epoch, head[1], tell(), head[3], unwritten and '1' or '0'}
for _, item in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. after, '+inf', 'LIMIT', 0, most)) do
  local value = redis.call('HGET', KEYS[3], item)
  reply[#reply + 1] = item
  reply[#reply + 1] = value
  reply[#reply + 1] = redis.call('HGET', value and KEYS[4] or KEYS[6], item)
  if value then bytes = bytes - #value end
  if bytes <= 0 then break end
end
return reply
`,
);

/** The last commits as they were published. */
export const LOG = script(
  'log',
  `${OPENING}
local reply = {'done', epoch, head[1], tell(), head[3], unwritten and '1' or '0'}
for _, text in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do reply[#reply + 1] = text end
return reply
`,
);

/** Decides after a new run of the server: the history goes on, or another one begins. KEYS[1] is the partition. */
export const ADOPT = script(
  'adopt',
  `
local run, fresh, keep = ARGV[1], ARGV[2], ARGV[3]
local known = redis.call('HGET', KEYS[1], 'run')
if not known then
  redis.call('HSET', KEYS[1], 'epoch', fresh, 'run', run, 'offset', '0', 'stamp', '0')
elseif known ~= run then
  redis.call('HSET', KEYS[1], 'run', run)
  if keep ~= '1' then redis.call('HSET', KEYS[1], 'epoch', fresh) end
end
return redis.call('HGET', KEYS[1], 'epoch')
`,
);

/** Another history begins, unless one has already: what the server has lies behind what it once had. */
export const RENEW = script(
  'renew',
  `
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('HSET', KEYS[1], 'epoch', ARGV[2]) end
return redis.call('HGET', KEYS[1], 'epoch')
`,
);

/**
 * Forgets deletes that are old enough, and a group of which nothing is left. KEYS: partition, head, values, changed, tombstones, buried, fading, and one that is never there.
 * Answers whether there is more to forget.
 */
export const FORGET = script(
  'forget',
  `
local name, oldest = ARGV[1], tonumber(ARGV[2])
local partition, head, values, changed, tombstones, buried, fading = unpack(KEYS)
local offset, stamp, floor = unpack(redis.call('HMGET', head, 'offset', 'stamp', 'floor'))
if not offset then
  redis.call('ZREM', fading, name)
  return 0
end
local items = redis.call('ZRANGEBYSCORE', buried, '-inf', oldest, 'LIMIT', 0, 1000)
floor = tonumber(floor)
for _, item in ipairs(items) do
  floor = math.max(floor, tonumber(redis.call('ZSCORE', changed, item)))
  redis.call('HDEL', tombstones, item)
  redis.call('ZREM', buried, item)
  redis.call('ZREM', changed, item)
end
if #items > 0 then redis.call('HSET', head, 'floor', string.format('%.0f', floor)) end
if #items == 1000 then return 1 end
local first = redis.call('ZRANGE', buried, 0, 0, 'WITHSCORES')
if first[2] then
  redis.call('ZADD', fading, first[2], name)
elseif redis.call('EXISTS', values) == 1 then
  redis.call('ZREM', fading, name)
elseif tonumber(stamp) > oldest then
  redis.call('ZADD', fading, stamp, name)
else
  local most = redis.call('HMGET', partition, 'offset', 'stamp')
  redis.call('HSET', partition, 'offset', string.format('%.0f', math.max(tonumber(most[1]), tonumber(offset))),
    'stamp', string.format('%.0f', math.max(tonumber(most[2]), tonumber(stamp))))
  redis.call('DEL', head)
  redis.call('ZREM', fading, name)
end
return 0
`,
);

/** What a node held that is gone gets its grace. KEYS: held by it, due, and one that is never there. Answers how much is left. */
export const ORPHAN = script(
  'orphan',
  `
local base, steady = ARGV[1], tonumber(ARGV[2])
local found = redis.call('ZRANGE', KEYS[1], 0, 499, 'WITHSCORES')
for index = 1, #found, 2 do
  local member = found[index]
  local name, item = string.match(member, '^([^\\n]*)\\n(.*)$')
  local at = steady + tonumber(found[index + 1])
  redis.call('HDEL', base .. 'holders:' .. name, item)
  redis.call('ZADD', base .. 'deadlines:' .. name, at, item)
  redis.call('ZADD', KEYS[2], 'LT', at, name)
  redis.call('ZREM', KEYS[1], member)
end
return redis.call('ZCARD', KEYS[1])
`,
);

/**
 * A node is there; answers those that have left, those that were not heard of for ARGV[2] milliseconds, and whether it was known itself and heard
 * of within them: else others may have begun to bury it. KEYS[1]: nodes.
 */
export const BEAT = script(
  'beat',
  `
local time = redis.call('TIME')
local left = redis.call('ZRANGEBYSCORE', KEYS[1], 0, 0, 'LIMIT', 0, 16)
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = redis.call('ZSCORE', KEYS[1], ARGV[1])
local known = last and now - tonumber(last) <= tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
return {left, redis.call('ZRANGEBYSCORE', KEYS[1], '(0', now - tonumber(ARGV[2]), 'LIMIT', 0, 16), {known and 'known' or 'gone'}}
`,
);

export const SCRIPTS: readonly RedisScript[] = [WRITE, READ, PAGE, LOG, ADOPT, RENEW, FORGET, ORPHAN, BEAT];

function script(name: string, text: string): RedisScript {
  return { name, text, sha: createHash('sha1').update(text).digest('hex') };
}
