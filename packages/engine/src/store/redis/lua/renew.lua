-- Begins a new epoch, because the server has less than it once had. Does nothing when the epoch is no longer `lostEpoch`: then another
-- engine has done it. Returns the epoch of the partition from now on.
local partition = KEYS[1]
local lostEpoch = ARGV[1]
local freshEpoch = ARGV[2]

if redis.call('HGET', partition, 'epoch') == lostEpoch then redis.call('HSET', partition, 'epoch', freshEpoch) end
return redis.call('HGET', partition, 'epoch')
