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
-- Bounds of the group, empty for none, and what a write beyond them does: `refuse` or `delete_oldest`.
local maxItems = ARGV[21]
local maxBytes = ARGV[22]
local onFull = ARGV[23]
-- Most items, and bytes of their values, that one write deletes from a group that is too large.
local evictedItems = tonumber(ARGV[24])
local evictedBytes = tonumber(ARGV[25])
-- Whether all changes are one write. Otherwise each change is a write of its own.
local isOneWrite = ARGV[26] == '1'
local expectedCount = tonumber(ARGV[27])
local changeCount = tonumber(ARGV[28])
-- Then come `expectedCount` pairs (item, offset of its last change; 0 for no item), and the fields of `changeCount` changes.
local rest = 28

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

-- Whether a write gave the item its deadline or its lease. A deadline by the age of the item ends in a half, and times are whole numbers.
local function hasOwnExpiry(item)
  local deadline = hasDeadlines and redis.call('ZSCORE', deadlines, item)
  if deadline then return tonumber(deadline) % 1 == 0 end
  return hasHolders and redis.call('HEXISTS', holders, item) == 1
end

-- `expiry` is empty (leave the deadline and the lease), `stay` (the item becomes permanent), `ttl`, `held` or `age`. With `age` the item
-- keeps what a write gave it. Otherwise its deadline becomes `time`, or it has none if that is 0.
local function setExpiry(item, expiry, time)
  if expiry == '' then return end
  if expiry == 'age' and hasOwnExpiry(item) then return end
  clearExpiry(item)
  if expiry == 'ttl' or expiry == 'age' and time ~= '0' then
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

-- Bounds. `items` and `bytes` are those of the group now. The head keeps `bytes` with the offset for which it is true, because an engine
-- without this bound does not count. Then all items are counted once.
local isBounded = maxItems ~= '' or maxBytes ~= ''
local mostItems, mostBytes = tonumber(maxItems) or math.huge, tonumber(maxBytes) or math.huge
local items, bytes = itemsBefore, 0
if maxBytes ~= '' and not isUnwritten then
  local known, knownAt = unpack(redis.call('HMGET', head, 'bytes', 'bytesAt'))
  if knownAt == groupOffset then
    bytes = tonumber(known)
  else
    for _, item in ipairs(redis.call('HKEYS', values)) do bytes = bytes + #item + redis.call('HSTRLEN', values, item) end
  end
end

local function isOver()
  return items > mostItems or bytes > mostBytes
end

local function fieldsOf(index)
  local first = rest + 2 * expectedCount + 8 * (index - 1) + 1
  local kind, item, data, extra, id, expiry, time, batch = unpack(ARGV, first, first + 7)
  return kind, item, data, extra, id, expiry, time, batch
end

-- Decides the write of the changes `first` to `last` as evictedBy of group-bounds.ts does. Returns the size of each item that it touches
-- (false for a deleted one), and why it is refused; nil when it is not.
local function decide(first, last)
  local after, before = {}, {}
  for index = first, last do
    local kind, item, data, guard = fieldsOf(index)
    if (kind == 'set' or kind == 'delete') and not (guard ~= '' and isBlocked(item, guard)) then
      if before[item] == nil then before[item] = redis.call('HEXISTS', values, item) == 1 and #item + redis.call('HSTRLEN', values, item) end
      after[item] = kind == 'set' and #item + #data
    end
  end
  local moreItems, moreBytes, writtenItems, writtenBytes = 0, 0, 0, 0
  for item, size in pairs(after) do
    if size then
      writtenItems, writtenBytes = writtenItems + 1, writtenBytes + size
      moreItems, moreBytes = moreItems + 1, moreBytes + size
    end
    if before[item] then moreItems, moreBytes = moreItems - 1, moreBytes - before[item] end
  end
  local isRefusing = onFull == 'refuse'
  local nextItems, nextBytes = items + moreItems, bytes + moreBytes
  if nextItems > mostItems and (isRefusing and moreItems > 0 or not isRefusing and writtenItems > mostItems) then
    return after, isRefusing and 'max_items is ' .. maxItems .. ', and it would have ' .. digits(nextItems)
      or 'max_items is ' .. maxItems .. ', and this write alone has ' .. digits(writtenItems)
  end
  if nextBytes > mostBytes and (isRefusing and moreBytes > 0 or not isRefusing and writtenBytes > mostBytes) then
    return after, isRefusing and 'max_bytes is ' .. maxBytes .. ', and it would have ' .. digits(nextBytes)
      or 'max_bytes is ' .. maxBytes .. ', and this write alone has ' .. digits(writtenBytes)
  end
  return after, nil, not isRefusing and writtenItems > 0
end

local records, lastOfBatch = {}, {}
local isRefused = false

-- Takes the next offset for an effect.
local function takeOffset(batch)
  offset = offset + 1
  timestamp = math.max(now, timestamp + 1)
  lastOfBatch[batch] = offset
end

local function removeItem(item, born, oldId, old)
  redis.call('HDEL', values, item)
  redis.call('HDEL', metas, item)
  redis.call('ZREM', created, item)
  redis.call('ZADD', changed, offset, item)
  redis.call('HSET', tombstones, item, born .. ' ' .. digits(offset) .. ' ' .. digits(timestamp) .. ' ' .. oldId)
  redis.call('ZADD', tombstonesByTime, timestamp, item)
  redis.call('ZADD', gcIndex, 'NX', timestamp, name)
  clearExpiry(item)
  items, bytes = items - 1, bytes - #item - #old
end

-- Deletes the oldest items that the write does not touch (`after`), until the group is within its bounds or the step has deleted enough.
-- The records of the write begin at `firstRecord`. They and the deletes become one batch.
local function evict(after, firstRecord, batch)
  local deleted, size, skipped = 0, 0, 0
  while isOver() and deleted < evictedItems and size < evictedBytes do
    local oldest = redis.call('ZRANGE', created, skipped, skipped)
    local item = oldest[1]
    if not item then break end
    if after[item] ~= nil then
      skipped = skipped + 1
    else
      local born, oldId = string.match(redis.call('HGET', metas, item), '^(%d+) %d+ (.*)$')
      local old = redis.call('HGET', values, item)
      takeOffset(batch)
      removeItem(item, born, oldId, old)
      deleted, size = deleted + 1, size + #old
      records[#records + 1] = {
        effect = 'delete', offset = offset, born = born, timestamp = timestamp, batch = batch, item = item, data = old, old = old,
        type = 'bound'
      }
    end
  end
  if deleted == 0 then return end
  for index = firstRecord, #records do records[index].batch = batch end
end

-- Applies one change. `refusal` is the reason why its write is refused.
local function apply(index, refusal)
  local kind, item, data, extra, id, expiry, time, batch = fieldsOf(index)
  local old, born, oldId
  local effect = 'none'
  if refusal then
    kind, extra = 'refused', 'full ' .. refusal
  elseif kind == 'event' then
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
  if effect ~= 'none' then takeOffset(batch) end
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
    if old then bytes = bytes + #data - #old else items, bytes = items + 1, bytes + #item + #data end
  elseif (kind == 'delete' or kind == 'due') and effect == 'delete' then
    -- The type of a delete says who wanted it: the data of the change, or the kind of the deadline.
    extra = data
    if kind == 'due' then extra = tonumber(redis.call('ZSCORE', deadlines, item)) % 1 == 0 and 'ttl' or 'age' end
    data = old
    removeItem(item, born, oldId, old)
  end
  records[#records + 1] = {
    effect = effect, offset = offset, born = born or '0', timestamp = timestamp, batch = batch,
    item = item, data = data, old = old, type = extra, isOfGroup = kind == 'event' and id == 'group'
  }
end

if isBounded then
  for first = 1, changeCount, isOneWrite and math.max(changeCount, 1) or 1 do
    local last = isOneWrite and changeCount or first
    local firstRecord = #records + 1
    local after, refusal, mayEvict = decide(first, last)
    for index = first, last do apply(index, refusal) end
    if refusal then isRefused = true
    elseif mayEvict then evict(after, firstRecord, 'bound ' .. first) end
  end
else
  for index = 1, changeCount do apply(index) end
end

-- The step as text: a line for the step, a line with the numbers and lengths of each record, then the texts of all records.
local lines, texts = {}, {}
for index = 1, #records do
  local record = records[index]
  local item, data, old, type = record.item, record.data, record.old, record.type
  local through = record.batch ~= '' and lastOfBatch[record.batch] or 0
  lines[index] = record.effect .. ' ' .. digits(record.offset) .. ' ' .. record.born .. ' ' .. digits(record.timestamp) .. ' ' ..
    digits(through) .. ' ' .. (record.isOfGroup and '-1' or #item) .. ' ' .. #data .. ' ' .. (old and #old or '-1') .. ' ' .. #type
  texts[index] = (record.isOfGroup and '' or item) .. data .. (old or '') .. type
end
local step = node .. ' ' .. epoch .. ' ' .. digits(firstOffset) .. ' ' .. digits(offset) .. ' ' .. #records .. '\n' ..
  table.concat(lines, '\n') .. '\n' .. table.concat(texts)

if offset > firstOffset then
  redis.call('HSET', head, 'offset', digits(offset), 'stamp', digits(timestamp))
  if maxBytes ~= '' then redis.call('HSET', head, 'bytes', digits(bytes), 'bytesAt', digits(offset)) end
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
if once and onceAnswer ~= '' and not isRefused then redis.call('SET', once, onceAnswer, 'PX', onceRetentionMs) end
return {'done', step}
