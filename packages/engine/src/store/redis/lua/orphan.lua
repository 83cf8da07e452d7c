-- Turns leases of a dead node into deadlines: each item is deleted after its grace time, unless it is written before.
--
-- Handles at most 500 leases. Returns how many are left.
local heldByNode = KEYS[1]
local due = KEYS[2]
-- KEYS[3] is `absent`, a key that never exists (keys.ts).
-- The prefix of the keys of a group.
local base = ARGV[1]
local steadyNow = tonumber(ARGV[2])

local found = redis.call('ZRANGE', heldByNode, 0, 499, 'WITHSCORES')
for index = 1, #found, 2 do
  local member, graceMs = found[index], tonumber(found[index + 1])
  local name, item = string.match(member, '^([^\n]*)\n(.*)$')
  local deadline = steadyNow + graceMs
  redis.call('HDEL', base .. 'holders:' .. name, item)
  redis.call('ZADD', base .. 'deadlines:' .. name, deadline, item)
  redis.call('ZADD', due, 'LT', deadline, name)
  redis.call('ZREM', heldByNode, member)
end
return redis.call('ZCARD', heldByNode)
