-- Reads the log of a group: returns the reply of opening.lua, then the last steps as write.lua published them, the oldest first.
local log = KEYS[3]

local reply = beginReply()
for _, step in ipairs(redis.call('LRANGE', log, 0, -1)) do reply[#reply + 1] = step end
return reply
