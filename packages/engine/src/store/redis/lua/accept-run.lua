-- Accepts a new run of the server for a partition. Returns the epoch of the partition from now on.
--
-- The history goes on when the server lost nothing (`isDurable`). Otherwise a new epoch begins. Does nothing when another engine has
-- already accepted this run.
local partition = KEYS[1]
local run = ARGV[1]
local freshEpoch = ARGV[2]
local isDurable = ARGV[3] == '1'

local knownRun = redis.call('HGET', partition, 'run')
if not knownRun then
  redis.call('HSET', partition, 'epoch', freshEpoch, 'run', run, 'offset', '0', 'stamp', '0')
elseif knownRun ~= run then
  redis.call('HSET', partition, 'run', run)
  if not isDurable then redis.call('HSET', partition, 'epoch', freshEpoch) end
end
return redis.call('HGET', partition, 'epoch')
