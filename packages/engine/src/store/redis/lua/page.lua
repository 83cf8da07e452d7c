-- Reads the entries of an index that come after an offset, in the order of the index.
--
-- Returns the reply of opening.lua, then item, value and meta of each entry. A deleted item has no value, and its tombstone instead of the
-- meta. The page ends after `most` entries, or with the entry that reaches `mostBytes` bytes of values.
local values = KEYS[3]
local metas = KEYS[4]
-- Items by the offset of their creation, or of their last change.
local index = KEYS[5]
local tombstones = KEYS[6]
local after = ARGV[4]
local most = ARGV[5]
local mostBytes = tonumber(ARGV[6])

local reply = beginReply()
local bytes = 0
for _, item in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. after, '+inf', 'LIMIT', 0, most)) do
  local value = redis.call('HGET', values, item)
  reply[#reply + 1] = item
  reply[#reply + 1] = value
  reply[#reply + 1] = redis.call('HGET', value and metas or tombstones, item)
  if value then bytes = bytes + #value end
  if bytes >= mostBytes then break end
end
return reply
