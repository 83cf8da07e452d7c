-- Records a heartbeat of this node, by the clock of the server.
--
-- Returns three lists: nodes that have left in order, nodes without a heartbeat for `silenceMs`, and {'known'} or {'gone'} for this node.
-- `gone` means that it was silent for that time itself, so other nodes may have begun to end its leases. Each of the first two lists names
-- at most 16 nodes.
local nodes = KEYS[1]
local node = ARGV[1]
local silenceMs = tonumber(ARGV[2])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- A node that leaves sets its time to 0.
local left = redis.call('ZRANGEBYSCORE', nodes, 0, 0, 'LIMIT', 0, 16)
local last = redis.call('ZSCORE', nodes, node)
local isKnown = last and now - tonumber(last) <= silenceMs
redis.call('ZADD', nodes, now, node)
return {left, redis.call('ZRANGEBYSCORE', nodes, '(0', now - silenceMs, 'LIMIT', 0, 16), {isKnown and 'known' or 'gone'}}
