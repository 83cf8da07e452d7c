-- Reads items, and the answer that is remembered under an idempotency key.
--
-- Returns the reply of opening.lua, the remembered answer, then value and meta of each item. Items that do not fit are missing at the end:
-- the first `least` items are read up to `mostBytesOfAll` bytes of values, the other ones up to `mostBytes`.
local values = KEYS[3]
local metas = KEYS[4]
local once = KEYS[5]
local least = tonumber(ARGV[4])
local mostBytes = tonumber(ARGV[5])
local mostBytesOfAll = tonumber(ARGV[6])
-- Then come the items.
local firstItem = 7

local reply = beginReply()
reply[#reply + 1] = once and redis.call('GET', once) or false
local bytes = 0
for index = firstItem, #ARGV do
  if bytes > (index - firstItem < least and mostBytesOfAll or mostBytes) then break end
  local value = redis.call('HGET', values, ARGV[index])
  reply[#reply + 1] = value
  reply[#reply + 1] = redis.call('HGET', metas, ARGV[index])
  if value then bytes = bytes + #value end
end
return reply
