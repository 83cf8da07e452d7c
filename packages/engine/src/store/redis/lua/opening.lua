-- Opens write.lua, read.lua, page.lua and log.lua: the loader puts this file in front of them. It checks the run of the server and reads
-- the position of the group.
--
-- An epoch belongs to one run of the server, because a server that starts again may have lost acknowledged writes. When the run differs,
-- the script returns {'fence'}, reads nothing and writes nothing. The engine then calls accept-run.lua, which decides whether the history
-- goes on.
local partition = KEYS[1]
local head = KEYS[2]
local run = ARGV[1]
local freshEpoch = ARGV[2]
local now = tonumber(ARGV[3])

-- Clocks of two engines never differ by more than this. A larger difference means that one clock has jumped.
local MOST_CLOCK_SKEW_MS = 10000

-- Returns all digits of a whole number: Lua itself writes large numbers with an exponent.
local function digits(number)
  return string.format('%.0f', number)
end

local epoch, knownRun = unpack(redis.call('HMGET', partition, 'epoch', 'run'))
if not epoch then
  epoch = freshEpoch
  redis.call('HSET', partition, 'epoch', epoch, 'run', run, 'offset', '0', 'stamp', '0')
elseif knownRun ~= run then
  return {'fence'}
end

-- A group without a head has no history. It begins at the largest position of all deleted groups of its partition, so that no offset is
-- used twice within an epoch.
local groupOffset, groupTimestamp, floor = unpack(redis.call('HMGET', head, 'offset', 'stamp', 'floor'))
local isUnwritten = not groupOffset
-- The latest timestamp that a reader got for a group without history.
local shown = 0
if isUnwritten then
  groupOffset, groupTimestamp, floor = unpack(redis.call('HMGET', partition, 'offset', 'stamp', 'offset'))
  shown = tonumber(redis.call('HGET', partition, 'shown') or '0')
end

-- Returns the timestamp of the group for a reader. Without history this is `now - 1`. The partition remembers it, so that the first change
-- gets a later timestamp even from an engine whose clock is behind. `pcall`: a full Redis must still answer reads.
local function timestampForReader()
  if not isUnwritten then return groupTimestamp end
  if now - 1 > shown or shown - now > MOST_CLOCK_SKEW_MS then redis.pcall('HSET', partition, 'shown', digits(now - 1)) end
  return digits(now - 1)
end

-- Returns the first values of every reply of a read: GroupState in group-client.ts decodes them.
local function beginReply()
  return {'done', epoch, groupOffset, timestampForReader(), floor, isUnwritten and '1' or '0'}
end
