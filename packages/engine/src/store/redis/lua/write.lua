-- Applies changes to one group in one step: checks the expectations, applies all changes, appends the step to the log and publishes it.
--
-- Returns {'again'} and changes nothing when an item, the epoch or the offset differs from what the engine expected. Otherwise returns
-- {'done', step}, where `step` is the published text. records.ts decodes that text. Engines of other versions read it too, so its format
-- must not change. The script never looks into values.
local values = KEYS[3]
local metas = KEYS[4]
local created = KEYS[5]
local changed = KEYS[6]
local tombstones = KEYS[7]
local tombstonesByTime = KEYS[8]
local deadlines = KEYS[9]
local holders = KEYS[10]
local log = KEYS[11]
local groups = KEYS[12]
local streams = KEYS[13]
local due = KEYS[14]
local gcIndex = KEYS[15]
-- KEYS[16] is `absent`, a key that never exists (keys.ts).
local once = KEYS[17]

-- Milliseconds of the engine's monotonic wall clock.
local steadyNow = tonumber(ARGV[4])
local node = ARGV[5]
-- The name of the group within its partition.
local name = ARGV[6]
local stream = ARGV[7]
local group = ARGV[8]
-- The prefix of the indexes of leased items, one index for each node.
local held = ARGV[9]
local channel = ARGV[10]
local isClustered = ARGV[11] == '1'
local streamChannel = ARGV[12]
local allChannel = ARGV[13]
local logCommits = tonumber(ARGV[14])
local logCommitBytes = tonumber(ARGV[15])
local logLingerMs = ARGV[16]
-- Empty when the engine relies on no epoch, or on no offset.
local expectedEpoch = ARGV[17]
local expectedOffset = ARGV[18]
-- The answer to remember under `once`, empty for none, and for how long.
local onceAnswer = ARGV[19]
local onceRetentionMs = ARGV[20]
local expectedCount = tonumber(ARGV[21])
local changeCount = tonumber(ARGV[22])
-- Then come `expectedCount` pairs (item, offset of its last change; 0 for no item), and the fields of `changeCount` changes.
local rest = 22

local offset, timestamp = tonumber(groupOffset), tonumber(groupTimestamp)
if shown > timestamp and shown - now <= MOST_CLOCK_SKEW_MS then timestamp = shown end

if expectedEpoch ~= '' and expectedEpoch ~= epoch then return {'again'} end
if expectedOffset ~= '' and tonumber(expectedOffset) ~= offset then return {'again'} end
for index = rest + 1, rest + 2 * expectedCount, 2 do
  local item, expectedChange = ARGV[index], ARGV[index + 1]
  local meta = redis.call('HGET', metas, item)
  if (meta and string.match(meta, '^%d+ (%d+)') or '0') ~= expectedChange then return {'again'} end
end
if once then
  local used = redis.call('GET', once)
  if used and tonumber(string.match(used, '^%d+')) > steadyNow then return {'again'} end
end

local firstOffset, itemsBefore = offset, redis.call('HLEN', values)
-- Most groups have neither deadlines nor leases: two flags save two calls for each change.
local hasDeadlines, hasHolders = redis.call('EXISTS', deadlines) == 1, redis.call('EXISTS', holders) == 1
-- Whether the entry of the group in `due` may be wrong. A step without changes asks for exactly this repair.
local deadlinesChanged = changeCount == 0

-- Removes the deadline and the lease of an item.
local function clearExpiry(item)
  if hasDeadlines and redis.call('ZREM', deadlines, item) == 1 then deadlinesChanged = true end
  if hasHolders then
    local holder = redis.call('HGET', holders, item)
    if holder then
      redis.call('HDEL', holders, item)
      redis.call('ZREM', held .. holder, name .. '\n' .. item)
    end
  end
end

-- `expiry` is empty (leave the deadline and the lease), `stay` (the item becomes permanent), `ttl` or `held`.
local function setExpiry(item, expiry, time)
  if expiry == '' then return end
  clearExpiry(item)
  if expiry == 'ttl' then
    redis.call('ZADD', deadlines, time, item)
    hasDeadlines, deadlinesChanged = true, true
  elseif expiry == 'held' then
    redis.call('HSET', holders, item, node)
    redis.call('ZADD', held .. node, time, name .. '\n' .. item)
    hasHolders = true
  end
end

-- Whether a lease forbids the change. `guard`: `elsewhere` means a lease of another node, `anywhere` one of any node.
local function isBlocked(item, guard)
  local holder = hasHolders and redis.call('HGET', holders, item)
  return holder and (guard == 'anywhere' or holder ~= node)
end

local function isDue(item)
  local time = redis.call('ZSCORE', deadlines, item)
  return time and tonumber(time) <= steadyNow
end

local records, lastOfBatch = {}, {}
for index = 1, changeCount do
  local first = rest + 2 * expectedCount + 8 * (index - 1) + 1
  local kind, item, data, extra, id, expiry, time, batch = unpack(ARGV, first, first + 7)
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
      if isBlocked(item, extra) then kind = 'blocked' end
      extra = ''
    end
    if kind == 'set' then
      effect = old and 'update' or 'create'
    elseif old and (kind == 'delete' or kind == 'due' and isDue(item)) then
      effect = 'delete'
    elseif old and kind == 'touch' then
      setExpiry(item, expiry, time)
    end
  end
  if effect ~= 'none' then
    offset = offset + 1
    timestamp = math.max(now, timestamp + 1)
    lastOfBatch[batch] = offset
  end
  if kind == 'set' then
    if not born then
      born = digits(offset)
      redis.call('ZADD', created, born, item)
      if redis.call('HDEL', tombstones, item) == 1 then redis.call('ZREM', tombstonesByTime, item) end
    end
    redis.call('HSET', values, item, data)
    redis.call('HSET', metas, item, born .. ' ' .. digits(offset) .. ' ' .. id)
    redis.call('ZADD', changed, offset, item)
    setExpiry(item, expiry, time)
  elseif (kind == 'delete' or kind == 'due') and effect == 'delete' then
    data = old
    redis.call('HDEL', values, item)
    redis.call('HDEL', metas, item)
    redis.call('ZREM', created, item)
    redis.call('ZADD', changed, offset, item)
    redis.call('HSET', tombstones, item, born .. ' ' .. digits(offset) .. ' ' .. digits(timestamp) .. ' ' .. oldId)
    redis.call('ZADD', tombstonesByTime, timestamp, item)
    redis.call('ZADD', gcIndex, 'NX', timestamp, name)
    clearExpiry(item)
  end
  records[index] = {
    effect = effect, offset = offset, born = born or '0', timestamp = timestamp, batch = batch,
    item = item, data = data, old = old, type = extra, isOfGroup = kind == 'event' and id == 'group'
  }
end

-- The step as text: a line for the step, a line with the numbers and lengths of each record, then the texts of all records.
local lines, texts = {}, {}
for index = 1, changeCount do
  local record = records[index]
  local item, data, old, type = record.item, record.data, record.old, record.type
  local through = record.batch ~= '' and lastOfBatch[record.batch] or 0
  lines[index] = record.effect .. ' ' .. digits(record.offset) .. ' ' .. record.born .. ' ' .. digits(record.timestamp) .. ' ' ..
    digits(through) .. ' ' .. (record.isOfGroup and '-1' or #item) .. ' ' .. #data .. ' ' .. (old and #old or '-1') .. ' ' .. #type
  texts[index] = (record.isOfGroup and '' or item) .. data .. (old or '') .. type
end
local step = node .. ' ' .. epoch .. ' ' .. digits(firstOffset) .. ' ' .. digits(offset) .. ' ' .. changeCount .. '\n' ..
  table.concat(lines, '\n') .. '\n' .. table.concat(texts)

if offset > firstOffset then
  redis.call('HSET', head, 'offset', digits(offset), 'stamp', digits(timestamp))
  if isUnwritten then
    redis.call('HSET', head, 'floor', digits(firstOffset))
    redis.call('ZADD', gcIndex, 'NX', timestamp, name)
  end
  local itemsAfter = redis.call('HLEN', values)
  if itemsBefore == 0 and itemsAfter > 0 then
    redis.call('SADD', groups, group)
    redis.call('SADD', streams, stream)
  elseif itemsBefore > 0 and itemsAfter == 0 then
    redis.call('SREM', groups, group)
    if redis.call('SCARD', groups) == 0 then redis.call('SREM', streams, stream) end
  end
  if #step <= logCommitBytes then
    redis.call('RPUSH', log, step)
    redis.call('LTRIM', log, -logCommits, -1)
    redis.call('PEXPIRE', log, logLingerMs)
  else
    -- A reader of a log with a hole would miss this step: without a log it gets a gap instead.
    redis.call('DEL', log)
  end
  redis.call(isClustered and 'SPUBLISH' or 'PUBLISH', channel, step)
  if isClustered then
    -- Sharded channels have no patterns. A step is published a second time only if an engine follows the stream, or all streams.
    for _, followed in ipairs({streamChannel, allChannel}) do
      if redis.call('PUBSUB', 'SHARDNUMSUB', followed)[2] > 0 then redis.call('SPUBLISH', followed, name .. '\n' .. step) end
    end
  end
end
if deadlinesChanged then
  local earliest = redis.call('ZRANGE', deadlines, 0, 0, 'WITHSCORES')
  if earliest[2] then redis.call('ZADD', due, earliest[2], name) else redis.call('ZREM', due, name) end
end
if once and onceAnswer ~= '' then redis.call('SET', once, onceAnswer, 'PX', onceRetentionMs) end
return {'done', step}
