-- Removes tombstones that are older than `oldest`, and then the group itself when it is empty and its last change is older too.
--
-- Returns 1 when more tombstones may be old enough, so that the caller runs it again. Otherwise returns 0.
local partition = KEYS[1]
local head = KEYS[2]
local values = KEYS[3]
local changed = KEYS[4]
local tombstones = KEYS[5]
local tombstonesByTime = KEYS[6]
local gcIndex = KEYS[7]
-- KEYS[8] is `absent`, a key that never exists (keys.ts).
local name = ARGV[1]
-- Unix milliseconds.
local oldest = tonumber(ARGV[2])

local MOST_TOMBSTONES = 1000

local offset, timestamp, floor = unpack(redis.call('HMGET', head, 'offset', 'stamp', 'floor'))
if not offset then
  redis.call('ZREM', gcIndex, name)
  return 0
end
local items = redis.call('ZRANGEBYSCORE', tombstonesByTime, '-inf', oldest, 'LIMIT', 0, MOST_TOMBSTONES)
floor = tonumber(floor)
for _, item in ipairs(items) do
  floor = math.max(floor, tonumber(redis.call('ZSCORE', changed, item)))
  redis.call('HDEL', tombstones, item)
  redis.call('ZREM', tombstonesByTime, item)
  redis.call('ZREM', changed, item)
end
-- `changes` cannot answer from below the floor: a tombstone between the two offsets is missing.
if #items > 0 then redis.call('HSET', head, 'floor', string.format('%.0f', floor)) end
if #items == MOST_TOMBSTONES then return 1 end

local oldestTombstone = redis.call('ZRANGE', tombstonesByTime, 0, 0, 'WITHSCORES')
if oldestTombstone[2] then
  redis.call('ZADD', gcIndex, oldestTombstone[2], name)
elseif redis.call('EXISTS', values) == 1 then
  redis.call('ZREM', gcIndex, name)
elseif tonumber(timestamp) > oldest then
  redis.call('ZADD', gcIndex, timestamp, name)
else
  -- The partition keeps the largest position of its deleted groups, because a group that begins again must not use an offset twice.
  local largest = redis.call('HMGET', partition, 'offset', 'stamp')
  redis.call('HSET', partition, 'offset', string.format('%.0f', math.max(tonumber(largest[1]), tonumber(offset))),
    'stamp', string.format('%.0f', math.max(tonumber(largest[2]), tonumber(timestamp))))
  redis.call('DEL', head)
  redis.call('ZREM', gcIndex, name)
end
return 0
